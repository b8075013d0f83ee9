//go:build lab

package relay

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The rules that lead connections for the server's network here. Answers to a
// foreign source address come in by the first rule of tproxy and by that of
// spoofed.
const (
	localDelivery = `
		ip rule add fwmark 1 lookup 100
		ip -6 rule add fwmark 1 lookup 100
		ip route add local default dev lo table 100
		ip -6 route add local default dev lo table 100`
	spoofed = `
		table inet spoofed { chain pre { type filter hook prerouting priority mangle; policy accept;
			iifname "r2" meta l4proto tcp socket transparent 1 meta mark set 1 accept
		}
		}`
	tproxied = `
		table inet tproxied { chain pre { type filter hook prerouting priority mangle; policy accept;
			meta l4proto tcp socket transparent 1 meta mark set 1 accept
			ip daddr 10.77.2.0/24 tcp dport { 135, 7000 } tproxy ip to 127.0.0.1:5135 meta mark set 1 accept
			ip6 daddr fd77:2::/64 tcp dport { 135, 7000 } tproxy ip6 to [::1]:5135 meta mark set 1 accept
		}
		}`
	redirected = `
		table inet redirected { chain pre { type nat hook prerouting priority dstnat; policy accept;
			iifname "r1" ip daddr 10.77.2.0/24 tcp dport { 135, 7000 } redirect to :5136
			iifname "r1" ip6 daddr fd77:2::/64 tcp dport { 135, 7000 } redirect to :5136
		}
		}`
)

// families are the addresses of a test, in IPv4 and IPv6.
var families = []struct{ client, server, loopback, router string }{
	{"10.77.1.2", "10.77.2.2", "127.0.0.1", "10.77.1.1"},
	{"[fd77:1::2]", "[fd77:2::2]", "[::1]", "[fd77:1::1]"},
}

// throughRig is a rig whose server is at the end of a path, and whose listener
// connects each client to its original destination.
func throughRig(t *testing.T, p path, o ListenOptions, server string, source func(*Conn) netip.AddrPort) (*rig, <-chan arrival) {
	t.Helper()
	r := newRig(t, Options{}, nil)
	_ = r.server.Close()
	r.server = p.listen(r, server)
	arrivals := make(chan arrival, 100)
	o.Route = func(c *Conn, attempt int) Route {
		if attempt > 0 {
			return Route{}
		}
		arrivals <- arrival{client: c.Client(), peer: c.Peer(), local: c.Local()}
		return Route{Handler: r.newHandler(c), Server: c.Local(), Source: source(c)}
	}
	r.listen(o)
	return r, arrivals
}

// exchange lets client and server talk, and ends their connection.
func (r *rig) exchange(client, server *net.TCPConn) {
	r.Helper()
	r.write(client, request(1, 100))
	r.expect(server, request(1, 100))
	r.write(server, response(1, 100))
	r.expect(client, response(1, 100))
	r.reset(client)
	r.expectReset(server)
}

func TestTransparentConnectionKeepsBothAddresses(t *testing.T) {
	if !asRouter(t) {
		return
	}
	p := newPath(t)
	runHere(t, localDelivery)
	nft(t, tproxied)
	for _, f := range families {
		t.Run(f.server, func(t *testing.T) {
			server := f.server + ":7000"
			r, arrivals := throughRig(t, p, ListenOptions{Address: netip.MustParseAddrPort(f.loopback + ":5135"), Transparent: true}, server, (*Conn).Client)
			for range 8 { // both loops get some
				client := p.dial(r, f.client+":0", server)
				from := addrOf(client.LocalAddr())
				if a := await(r, arrivals); a.client != from || a.peer != from || a.local.String() != server {
					t.Errorf("told of %+v", a)
				}
				c := r.accept()
				if got := addrOf(c.RemoteAddr()); got != from {
					t.Errorf("the server sees %v instead of %v", got, from)
				}
				r.exchange(client, c)
			}
		})
	}
}

// segmentOf returns the largest segment that the other end of a connection takes, without options.
func segmentOf(r *rig, c *net.TCPConn) (size uint32) {
	r.Helper()
	raw, err := c.SyscallConn()
	r.must(err)
	r.must(raw.Control(func(fd uintptr) {
		info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		r.must(err)
		size = info.Snd_mss + timestampSize
	}))
	return size
}

// What the client announces is a bound for both ends, as without the proxy.
func TestSegmentsToTheServerAreNoLargerThanTheClientTakes(t *testing.T) {
	if !asRouter(t) {
		return
	}
	p := newPath(t)
	runHere(t, localDelivery)
	nft(t, tproxied)
	for _, f := range families {
		server := f.server + ":7000"
		r, _ := throughRig(t, p, ListenOptions{Address: netip.MustParseAddrPort(f.loopback + ":5135"), Transparent: true}, server, (*Conn).Client)
		for announced, want := range map[string]uint32{"1240": 1240, "600": 600, "100": leastSegment} {
			p.client.run(t, "ip route replace default via 10.77.1.1 advmss "+announced+"; ip -6 route replace default via fd77:1::1 advmss "+announced)
			client := p.dial(r, f.client+":0", server)
			c := r.accept()
			if got := segmentOf(r, c); got != want {
				t.Errorf("%s: a client that takes %s: the server is told %d, want %d", f.server, announced, got, want)
			}
			r.exchange(client, c)
		}
		p.client.run(t, "ip route replace default via 10.77.1.1; ip -6 route replace default via fd77:1::1")
		client := p.dial(r, f.client+":0", server)
		c := r.accept()
		if got := segmentOf(r, c); got < commonSegment {
			t.Errorf("%s: a client on Ethernet: the server is told %d", f.server, got)
		}
		r.exchange(client, c)
	}
}

// occupied is a socket of this process that has a foreign address.
func occupied(r *rig, from netip.AddrPort, options ...option) int32 {
	r.Helper()
	fd, errno := newSocket(family(from))
	r.must(errnoError("socket", errno))
	sa, err := newSockaddr(from)
	r.must(err)
	r.must(setOptions(fd, append(options, transparent(family(from)))))
	r.must(errnoError("bind", bind(fd, &sa)))
	return fd
}

func TestSourcePortThatIsTakenIsReplaced(t *testing.T) {
	if !asRouter(t) {
		return
	}
	p := newPath(t)
	runHere(t, localDelivery)
	nft(t, tproxied)
	for _, f := range families {
		t.Run(f.server, func(t *testing.T) {
			server := f.server + ":7000"
			r, _ := throughRig(t, p, ListenOptions{Address: netip.MustParseAddrPort(f.loopback + ":5135"), Transparent: true}, server, (*Conn).Client)
			from := netip.MustParseAddrPort(f.client + ":41000")
			check := func(how string) {
				client := p.dial(r, from.String(), server)
				c := r.accept()
				got := addrOf(c.RemoteAddr())
				if got.Addr() != from.Addr() || got.Port() == from.Port() {
					t.Errorf("taken by %s: the server sees %v, want another port of %v", how, got, from)
				}
				r.exchange(client, c)
				r.ends(r.handler(), CauseClientReset)
			}
			alone := occupied(r, from)
			check("a socket that shares nothing")
			closeSocket(alone)

			same := occupied(r, from, option{unix.SOL_SOCKET, unix.SO_REUSEADDR, 1})
			to, err := newSockaddr(netip.MustParseAddrPort(server))
			r.must(err)
			if errno := connect(same, &to); errno != unix.EINPROGRESS {
				t.Fatal(errno)
			}
			_ = r.accept()
			check("a connection to the same server")
			resetSocket(same)
		})
	}
}

func TestSourcePortIsSharedAmongServers(t *testing.T) {
	// A client may use one port for connections to several servers, and keeps it
	// for each of them.
	if !asRouter(t) {
		return
	}
	p := newPath(t)
	runHere(t, localDelivery)
	nft(t, tproxied)
	f := families[0]
	r, _ := throughRig(t, p, ListenOptions{Address: netip.MustParseAddrPort(f.loopback + ":5135"), Transparent: true}, f.server+":7000", (*Conn).Client)
	other := p.listen(r, f.server+":135")
	defer func() { _ = other.Close() }()
	from := f.client + ":41001"
	first := p.dial(r, from, f.server+":7000")
	second := p.dial(r, from, f.server+":135")
	for _, l := range []*net.TCPListener{r.server, other} {
		r.must(l.SetDeadline(time.Now().Add(testTimeout)))
		c, err := l.AcceptTCP()
		r.must(err)
		if got := c.RemoteAddr().String(); got != from {
			t.Errorf("the server sees %v instead of %v", got, from)
		}
		r.reset(c)
	}
	r.expectReset(first)
	r.expectReset(second)
}

func TestRedirectedConnectionGoesWhereItWasGoing(t *testing.T) {
	if !asRouter(t) {
		return
	}
	p := newPath(t)
	runHere(t, localDelivery)
	nft(t, redirected)
	nft(t, spoofed)
	for _, f := range families {
		for name, source := range map[string]func(*Conn) netip.AddrPort{
			"own source":      func(*Conn) netip.AddrPort { return netip.AddrPort{} },
			"client's source": func(c *Conn) netip.AddrPort { return netip.AddrPortFrom(c.Client().Addr(), 0) }, // the port is connection tracking's
		} {
			t.Run(name+" to "+f.server, func(t *testing.T) {
				everywhere := netip.MustParseAddrPort("0.0.0.0:5136")
				if f.server[0] == '[' {
					everywhere = netip.MustParseAddrPort("[::]:5136")
				}
				server := f.server + ":7000"
				r, arrivals := throughRig(t, p, ListenOptions{Address: everywhere, Redirected: true}, server, source)
				client := p.dial(r, f.client+":0", server)
				from := addrOf(client.LocalAddr())
				if a := await(r, arrivals); a.client != from || a.local.String() != server {
					t.Errorf("told of %+v", a)
				}
				c := r.accept()
				got := addrOf(c.RemoteAddr()).Addr()
				if same := got == from.Addr(); same != (name == "client's source") {
					t.Errorf("the server sees %v, the client is %v", got, from)
				}
				r.exchange(client, c)
			})
		}
	}
}

func TestDirectConnectionToTheRedirectPortIsSeenAsSuch(t *testing.T) {
	if !asRouter(t) {
		return
	}
	p := newPath(t)
	for _, tracked := range []bool{false, true} {
		if tracked {
			nft(t, redirected)
		}
		for _, f := range families {
			r := newRig(t, Options{}, nil)
			address := netip.MustParseAddrPort(f.router + ":5136")
			arrivals, _ := r.listenFor(ListenOptions{Address: address, Redirected: true})
			_ = p.dial(r, f.client+":0", address.String())
			if a := await(r, arrivals); a.local != address {
				t.Errorf("connected to %v, told of %+v", address, a)
			}
			r.ln.Close()
		}
	}
}
