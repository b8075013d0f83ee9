//go:build lab

package transparent

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// patience is how long a packet may take on a busy machine.
const patience = 5 * time.Second

// Where the stand-in for the proxy listens.
const (
	tproxyPort   = 5135
	redirectPort = 5136
)

// network is clients and a domain controller with this machine between them:
//
//	client 10.76.x.y, fd76::xxxx  --  r1 [rules] r2  --  10.77.2.2, fd77:2::2 server
//
// Every network has another client: sockets of the stand-in are in TIME_WAIT for a
// minute, and while this machine has a socket with the addresses and ports of a
// connection that passes by, the kernel drops that one's packets.
type network struct {
	client, server namespace
	ipv4, ipv6     string // of the client
}

// The addresses of the domain controller.
const (
	dcIPv4 = "10.77.2.2"
	dcIPv6 = "fd77:2::2"
)

// networks counts them.
var networks int

func newNetwork(t testing.TB) *network {
	t.Helper()
	clean(t)
	networks++
	x, y := networks/200%256, 2+networks%200
	n := &network{newNamespace(t), newNamespace(t), fmt.Sprintf("10.76.%d.%d", x, y), fmt.Sprintf("fd76::%02x%02x", x, y)}
	sh(t, noDAD)
	sh(t, fmt.Sprintf(`
sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0
ip link add r1 type veth peer name c0 netns %s
ip link add r2 type veth peer name s0 netns %s
ip addr add 10.76.0.1/16 dev r1; ip addr add fd76::1/64 dev r1 nodad; ip link set r1 up
ip addr add 10.77.2.1/24 dev r2; ip addr add fd77:2::1/64 dev r2 nodad; ip link set r2 up`, n.client.Path(), n.server.Path()))
	t.Cleanup(func() { sh(t, "ip link del r1; ip link del r2") })
	n.client.attach(t, "c0", n.ipv4+"/16", n.ipv6+"/64", "10.76.0.1", "fd76::1")
	n.server.attach(t, "s0", dcIPv4+"/24", dcIPv6+"/64", "10.77.2.1", "fd77:2::1")
	return n
}

// attach gives an interface its addresses and the namespace its router.
func (n namespace) attach(t testing.TB, device, ipv4, ipv6, router4, router6 string) {
	t.Helper()
	n.sh(t, fmt.Sprintf(`
ip link set lo up
ip addr add %[2]s dev %[1]s; ip addr add %[3]s dev %[1]s nodad; ip link set %[1]s up
ip route replace default via %[4]s; ip route replace default via %[5]s`, device, ipv4, ipv6, router4, router6))
}

// tproxy and redirect are configurations for the network.
func tproxy(t testing.TB, whenDown string) *Plan {
	t.Helper()
	return plan(t, fmt.Sprintf(`{name: path, mode: tproxy, port: %d, destinations: [10.77.2.0/24, "fd77:2::/64"], interfaces: [r1]}`, tproxyPort), "when_down: "+whenDown)
}

func redirect(t testing.TB, whenDown string) *Plan {
	t.Helper()
	return plan(t, fmt.Sprintf(`{name: host, mode: redirect, port: %d, destinations: [10.77.2.0/24, "fd77:2::/64"], interfaces: [r1]}`, redirectPort), "when_down: "+whenDown)
}

// service is a TCP server that tells each client whom it sees and then repeats
// what it hears.
type service struct {
	net.Listener
	mayEnd chan struct{} // closed when it may end after a client's end; nil: at once

	mu    sync.Mutex
	conns map[string]net.Conn // by the address that it sees
	ended chan error          // how each connection ended: nil is an end of stream
}

// serve starts a service in a namespace.
func (n namespace) serve(t testing.TB, address string) *service {
	t.Helper()
	s := &service{conns: map[string]net.Conn{}, ended: make(chan error, 100)}
	var err error
	if s.Listener, err = n.Listen(address); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	go accept(s.Listener, s.talk)
	return s
}

// accept calls handle for each connection in a goroutine of its own.
func accept(l net.Listener, handle func(net.Conn)) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go handle(c)
	}
}

func (s *service) talk(c net.Conn) {
	defer c.Close()
	s.mu.Lock()
	s.conns[c.RemoteAddr().String()] = c
	s.mu.Unlock()
	_, _ = fmt.Fprintln(c, c.RemoteAddr())
	_, err := io.Copy(c, c)
	if s.mayEnd != nil {
		<-s.mayEnd
	}
	s.ended <- err
}

// flood sends to a client what no buffer on the way can hold.
func (s *service) flood(client string) {
	s.mu.Lock()
	c := s.conns[client]
	s.mu.Unlock()
	_, _ = c.Write(make([]byte, 100<<20))
}

// end waits until a connection has ended and returns how.
func (s *service) end(t testing.TB) error {
	t.Helper()
	select {
	case err := <-s.ended:
		return err
	case <-time.After(patience):
		t.Error("the server's connection has not ended")
		return nil
	}
}

// conn is a connection of a client.
type conn struct {
	net.Conn
	r    *bufio.Reader
	seen string // the address that the server sees
}

// dial connects from a namespace.
func (n namespace) dial(t testing.TB, address string) (c *conn, err error) {
	t.Helper()
	err = n.Do(func() (err error) {
		c, err = dial(t, address)
		return err
	})
	return c, err
}

// dial connects from where the rules are.
func dial(t testing.TB, address string) (*conn, error) {
	t.Helper()
	tcp, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		return nil, err
	}
	return greet(t, tcp)
}

// greet reads whom the server sees.
func greet(t testing.TB, tcp net.Conn) (c *conn, err error) {
	t.Helper()
	t.Cleanup(func() { tcp.Close() })
	c = &conn{Conn: tcp, r: bufio.NewReader(tcp)}
	_ = c.SetDeadline(time.Now().Add(patience))
	c.seen, err = c.r.ReadString('\n')
	c.seen = strings.TrimSpace(c.seen)
	return c, err
}

// connect is dial for a connection that must come about.
func (n namespace) connect(t testing.TB, address string) *conn {
	t.Helper()
	c, err := n.dial(t, address)
	return must(t, c, err)
}

// connect is dial for a connection that must come about.
func connect(t testing.TB, address string) *conn {
	t.Helper()
	c, err := dial(t, address)
	return must(t, c, err)
}

func must(t testing.TB, c *conn, err error) *conn {
	t.Helper()
	if err != nil {
		t.Fatalf("connecting: %v", err)
	}
	return c
}

// echo sends bytes and reads them again.
func (c *conn) echo(size int) error {
	_ = c.SetDeadline(time.Now().Add(patience))
	failed := make(chan error, 1)
	go func() {
		_, err := c.Write(make([]byte, size))
		failed <- err
	}()
	if _, err := io.CopyN(io.Discard, c.r, int64(size)); err != nil {
		return err
	}
	return <-failed
}

// own reports whether the server sees the client itself, address and port.
func (c *conn) own() bool { return c.seen == c.LocalAddr().String() }

// standIn takes the part of the proxy: it understands nothing.
type standIn struct {
	listeners []net.Listener
	mu        sync.Mutex
	conns     []net.Conn
	dead      bool
}

// startTPROXY starts a stand-in that goes on under the client's address and port.
func startTPROXY(t testing.TB) *standIn {
	return startStandIn(t, []string{fmt.Sprintf("127.0.0.1:%d", tproxyPort), fmt.Sprintf("[::1]:%d", tproxyPort)}, true, func(c net.Conn) (net.Conn, error) {
		d := net.Dialer{LocalAddr: c.RemoteAddr(), Control: transparentSocket, Timeout: patience}
		return d.Dial("tcp", c.LocalAddr().String())
	})
}

// startREDIRECT starts a stand-in that goes on under its own address.
func startREDIRECT(t testing.TB) *standIn {
	return startStandIn(t, []string{fmt.Sprintf(":%d", redirectPort)}, false, func(c net.Conn) (net.Conn, error) {
		address := dcIPv4
		if netip.MustParseAddrPort(c.RemoteAddr().String()).Addr().Is6() {
			address = dcIPv6
		}
		return net.DialTimeout("tcp", net.JoinHostPort(address, "135"), patience)
	})
}

// transparentSocket lets a socket have addresses that are not this machine's.
func transparentSocket(network, _ string, c syscall.RawConn) error {
	var err error
	control := c.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
		if network == "tcp6" {
			err = errors.Join(err, unix.SetsockoptInt(int(fd), unix.SOL_IPV6, unix.IPV6_TRANSPARENT, 1))
		} else {
			err = errors.Join(err, unix.SetsockoptInt(int(fd), unix.SOL_IP, unix.IP_TRANSPARENT, 1))
		}
	})
	return errors.Join(control, err)
}

func startStandIn(t testing.TB, addresses []string, transparent bool, dial func(net.Conn) (net.Conn, error)) *standIn {
	t.Helper()
	s := &standIn{}
	config := net.ListenConfig{}
	if transparent {
		config.Control = transparentSocket
	}
	for _, a := range addresses {
		l, err := config.Listen(context.Background(), "tcp", a)
		if err != nil {
			t.Fatal(err)
		}
		s.listeners = append(s.listeners, l)
		go accept(l, func(c net.Conn) { s.relay(c, dial) })
	}
	t.Cleanup(s.kill)
	return s
}

// relay copies both ways until both ends have come, or kill.
func (s *standIn) relay(c net.Conn, dial func(net.Conn) (net.Conn, error)) {
	defer c.Close()
	up, err := dial(c)
	if err != nil {
		return
	}
	defer up.Close()
	s.mu.Lock()
	if s.dead {
		s.mu.Unlock()
		return
	}
	s.conns = append(s.conns, c, up)
	s.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { s.half(up, c) })
	both.Go(func() { s.half(c, up) })
	both.Wait()
}

// half copies one way; a reset goes on as an end, which is enough here.
func (s *standIn) half(to, from net.Conn) {
	_, _ = io.Copy(to, from)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.dead {
		_ = to.(*net.TCPConn).CloseWrite()
	}
}

// kill ends everything as the kernel does when a process is killed.
func (s *standIn) kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dead = true
	for _, l := range s.listeners {
		l.Close()
	}
	for _, c := range s.conns {
		c.Close()
	}
}

// vanish ends everything as a power failure does: the peers hear nothing.
func (s *standIn) vanish(t testing.TB) {
	t.Helper()
	s.mu.Lock()
	s.dead = true
	for _, c := range s.conns {
		raw, err := c.(*net.TCPConn).SyscallConn()
		if err == nil {
			err = errors.Join(raw.Control(func(fd uintptr) {
				err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_REPAIR, 1)
			}), err)
		}
		if err != nil {
			t.Errorf("a socket cannot vanish: %v", err)
		}
	}
	s.mu.Unlock()
	s.kill()
}

// isReset reports whether err is what a reset looks like.
func isReset(err error) bool {
	return errors.Is(err, unix.ECONNRESET) || errors.Is(err, unix.EPIPE)
}

// eventually polls until ok returns true.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("still not: %s", what)
		}
	}
}
