package relay

import (
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/nspiproxy/nspiproxy/rpcparse"
	"golang.org/x/sys/unix"
)

func TestListenerCanBeAddedFromInsideAHandler(t *testing.T) {
	r := newRig(t, Options{Loops: 1}, nil)
	target := r.target()
	added := make(chan *Listener, 1)
	r.configure(func(p *probe) {
		p.fromServer = func(h rpcparse.Header, _ []byte) Verdict {
			if h.CallID == 99 {
				ln, err := r.group.Listen(ListenOptions{Address: anyPort, Route: r.to(target)})
				if err != nil {
					t.Error(err)
				}
				added <- ln
			}
			return Verdict{}
		}
	})
	client, server, _ := r.connect()
	r.write(server, response(99, 100))
	r.expect(client, response(99, 100)) // by now the port is ready
	r.ln = <-added
	client, server, _ = r.connect()
	r.write(client, request(1, 100))
	r.expect(server, request(1, 100))
}

func TestListenerIsReadyWhenListenReturns(t *testing.T) {
	r := newRig(t, Options{}, nil)
	for range 50 {
		ln, err := r.group.Listen(ListenOptions{Address: anyPort, Route: r.to(r.target())})
		r.must(err)
		c, err := net.Dial("tcp", ln.Addr().String())
		r.must(err)
		_ = c.Close()
		ln.Close()
	}
}

func TestClosedListenerFreesItsAddressAndLeavesConnectionsAlone(t *testing.T) {
	r := newRig(t, Options{}, nil)
	client, server, _ := r.connect()
	for range 20 {
		r.ln.Close()
		r.ln.Close()
		if _, err := net.Dial("tcp", r.ln.Addr().String()); !errors.Is(err, unix.ECONNREFUSED) {
			t.Fatalf("dialling a closed listener: %v", err)
		}
		r.listen(ListenOptions{Address: r.ln.Addr(), Route: r.to(r.target())})
	}
	r.write(client, request(1, 100))
	r.expect(server, request(1, 100))
	client, server, _ = r.connect()
	r.write(client, request(1, 100))
	r.expect(server, request(1, 100))
}

func TestAddressInUseIsNotShared(t *testing.T) {
	r := newRig(t, Options{}, nil)
	other, err := NewGroup(Options{Loops: 2})
	r.must(err)
	defer func() { r.must(other.Shutdown(t.Context())) }()
	if ln, err := other.Listen(ListenOptions{Address: r.ln.Addr(), Route: r.to(r.target())}); !errors.Is(err, unix.EADDRINUSE) {
		t.Errorf("a second group listens on %v: %v", ln.Addr(), err)
	} else if !strings.Contains(err.Error(), r.ln.Addr().String()) {
		t.Errorf("the error does not name the address: %v", err)
	}
}

func TestBadAddressesAreRefused(t *testing.T) {
	r := newRig(t, Options{}, nil)
	for _, bad := range []netip.AddrPort{{}, netip.MustParseAddrPort("[fe80::1%lo]:135"), netip.MustParseAddrPort("203.0.113.1:135")} {
		if _, err := r.group.Listen(ListenOptions{Address: bad, Route: r.to(r.target())}); err == nil {
			t.Errorf("listening on %v", bad)
		}
	}
	if _, err := r.group.Listen(ListenOptions{Address: anyPort}); err == nil {
		t.Error("a listener that can route nobody")
	}
}

func TestLoopsShareTheClients(t *testing.T) {
	r := newRig(t, Options{Loops: 4}, nil)
	for range 64 {
		_, _, _ = r.connect()
	}
	for i, l := range r.group.loops {
		if l.counters.accepted.Load() == 0 {
			t.Errorf("loop %d got none of 64 clients", i)
		}
	}
}

func TestIPv6(t *testing.T) {
	server, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Log("no IPv6 here: ", err)
		return
	}
	defer func() { _ = server.Close() }()
	got := make(chan [4]netip.AddrPort, 1)
	r := newRig(t, Options{}, func(p *probe) {
		p.fromClient = func(rpcparse.Header, []byte) Verdict {
			got <- [...]netip.AddrPort{p.conn.Client(), p.conn.Peer(), p.conn.Local(), p.conn.Server()}
			return Verdict{}
		}
	})
	r.listen(ListenOptions{Address: netip.MustParseAddrPort("[::1]:0"), Route: r.to(server.Addr().(*net.TCPAddr).AddrPort())})
	client := r.client()
	c, err := server.Accept()
	r.must(err)
	defer func() { _ = c.Close() }()
	r.write(client, request(1, 100))
	r.expect(c, request(1, 100))
	from := client.LocalAddr().(*net.TCPAddr).AddrPort()
	if a := await(r, got); a != [...]netip.AddrPort{from, from, r.ln.Addr(), server.Addr().(*net.TCPAddr).AddrPort()} {
		t.Errorf("addresses %v", a)
	}
}
