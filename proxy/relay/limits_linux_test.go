package relay

import (
	"context"
	"errors"
	"net"
	"os"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/rpcparse"
	"golang.org/x/sys/unix"
)

func TestConnectionsOverTheCapAreReset(t *testing.T) {
	r := newRig(t, Options{MaxConnections: 2}, nil)
	first, server, p := r.connect()
	_, _, _ = r.connect()
	r.expectRefusal()
	if s := r.group.Stats(); s.Refused != 1 || s.Active != 2 || s.Accepted != 2 {
		t.Errorf("%+v", s)
	}
	_, _ = first.Close(), server.Close()
	r.ends(p, CauseEnd)
	client, server, _ := r.connect() // there is room again
	r.write(client, request(1, 100))
	r.expect(server, request(1, 100))
}

func TestHandshakeTimeoutClosesSlowConnections(t *testing.T) {
	r := newRig(t, Options{HandshakeTimeout: 60 * time.Millisecond, DrainTimeout: 60 * time.Millisecond}, func(p *probe) {
		p.fromClient = func(h rpcparse.Header, _ []byte) Verdict {
			if h.CallID == 2 {
				p.conn.HandshakeDone()
			}
			return Verdict{}
		}
	})
	slow, slowServer, slowProbe := r.connect()
	bound, boundServer, _ := r.connect()
	told, toldServer, _ := r.connect()
	r.write(slow, request(1, 100)) // is no answered bind
	r.expect(slowServer, request(1, 100))
	ack := pdu(rpcparse.PTypeBindAck, 1, 60)
	r.write(boundServer, ack)
	r.expect(bound, ack)
	r.write(told, request(2, 100))
	r.expect(toldServer, request(2, 100))
	r.ends(slowProbe, CauseHandshakeTimeout)
	r.expectEnd(slow)
	r.expectEnd(slowServer)
	time.Sleep(60 * time.Millisecond)
	r.write(bound, request(3, 100))
	r.expect(boundServer, request(3, 100))
	r.write(told, request(4, 100))
	r.expect(toldServer, request(4, 100))
	if s := r.group.Stats(); s.Closed[CauseHandshakeTimeout] != 1 {
		t.Errorf("%+v", s)
	}
}

func TestFragmentLimitFollowsTheNegotiation(t *testing.T) {
	r := newRig(t, Options{Limits: rpcparse.Limits{MaxFragment: 16384}}, func(p *probe) {
		p.fromClient = func(rpcparse.Header, []byte) Verdict {
			p.conn.SetMaxFragment(rpcparse.ClientToServer, 8192)
			return Verdict{}
		}
	})
	client, server, p := r.connect()
	r.write(client, request(1, 100))
	r.write(client, request(2, 8192))
	r.expect(server, append(request(1, 100), request(2, 8192)...))
	r.write(server, response(2, 8192)) // not negotiated in this direction
	r.expectEnd(client)
	_, _ = client.Close(), server.Close()
	r.ends(p, CauseServerMalformed)
}

// exhaustDescriptors opens files until the process may not open any more, but
// for spare ones, and returns a function that ends the shortage.
func exhaustDescriptors(t *testing.T, spare int) (restore func()) {
	t.Helper()
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	lower := old
	lower.Cur = uint64(descriptors(t) + 64)
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &lower); err != nil {
		t.Fatal(err)
	}
	var fds []int
	for {
		fd, err := unix.Open(os.DevNull, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			break
		}
		fds = append(fds, fd)
	}
	for range spare {
		_ = unix.Close(fds[len(fds)-1])
		fds = fds[:len(fds)-1]
	}
	return func() {
		for _, fd := range fds {
			_ = unix.Close(fd)
		}
		_ = unix.Setrlimit(unix.RLIMIT_NOFILE, &old)
	}
}

func TestOutOfDescriptorsIsSurvivedWithoutSpinning(t *testing.T) {
	r := newRig(t, Options{Loops: 1}, nil)
	restore := exhaustDescriptors(t, 1) // for the client's own socket
	client, err := net.DialTCP("tcp", nil, net.TCPAddrFromAddrPort(r.ln.Addr()))
	if err != nil {
		restore()
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	r.eventually("a failure is counted", func() bool { return r.group.Stats().AcceptErrors > 0 })
	time.Sleep(250 * time.Millisecond)
	if n := r.group.Stats().AcceptErrors; n > 6 {
		t.Errorf("tried %d times in a quarter of a second", n)
	}
	restore()
	server := r.accept()
	r.write(client, request(1, 100))
	r.expect(server, request(1, 100))
}

func TestOutOfDescriptorsForTheServersSideResetsTheClient(t *testing.T) {
	r := newRig(t, Options{Loops: 1}, nil)
	restore := exhaustDescriptors(t, 2) // the client's, and the accepted one
	defer restore()
	r.expectRefusal()
	if why := r.ends(r.handler(), CauseDialFailed); !errors.Is(why.Err, unix.EMFILE) {
		t.Errorf("the reason is %v", why)
	}
	if n := r.group.Stats().AcceptErrors; n != 1 {
		t.Errorf("%d shortages were counted", n)
	}
}

func TestManyConnectionsComeAndGo(t *testing.T) {
	const n = 2000
	r := newRig(t, Options{}, nil)
	go func() {
		for {
			c, err := r.server.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = c.Close() }()
				buf := make([]byte, 200)
				for {
					if _, err := c.Read(buf); err != nil {
						return
					}
					_, _ = c.Write(response(1, 100))
				}
			}()
		}
	}()
	clients := make([]*net.TCPConn, n)
	for i := range clients {
		clients[i] = r.client()
		r.write(clients[i], request(1, 100))
	}
	for _, c := range clients {
		r.expect(c, response(1, 100))
	}
	if s := r.group.Stats(); s.Active != n || s.Accepted != n || s.Client.PDUs != n || s.Server.PDUs != n {
		t.Errorf("with all open: %+v", s)
	}
	for i, c := range clients {
		switch i % 4 {
		case 0:
			_ = c.SetLinger(0)
		case 1:
			_, _ = c.Write(request(2, 100)[:60])
		case 2:
			_, _ = c.Write(request(2, 100)) // its answer will meet a closed socket
		}
		_ = c.Close()
	}
	r.eventually("all have ended", func() bool { return r.group.Stats().Active == 0 })
	s := r.group.Stats()
	var sum uint64
	for _, k := range s.Closed {
		sum += k
	}
	if sum != n {
		t.Errorf("causes add up to %d: %v", sum, s.Closed)
	}
}

func TestShutdownWaitsForConnectionsToEnd(t *testing.T) {
	r := newRig(t, Options{}, nil)
	client, server, p := r.connect()
	done := make(chan error, 1)
	go func() { done <- r.group.Shutdown(context.Background()) }()
	r.eventually("the group takes no new work", func() bool {
		_, err := r.group.Listen(ListenOptions{Address: r.ln.Addr(), Route: r.to(r.target())})
		return errors.Is(err, ErrShutdown)
	})
	if _, err := net.Dial("tcp", r.ln.Addr().String()); !errors.Is(err, unix.ECONNREFUSED) {
		t.Errorf("a new client: %v", err)
	}
	r.write(client, request(1, 100)) // live ones go on
	r.expect(server, request(1, 100))
	if len(done) != 0 {
		t.Error("did not wait")
	}
	_, _ = client.Close(), server.Close()
	r.ends(p, CauseEnd)
	r.must(<-done)
}

func TestShutdownClosesTheRestAtTheDeadline(t *testing.T) {
	r := newRig(t, Options{}, nil)
	client, server, p := r.connect()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Millisecond)
	defer cancel()
	if err := r.group.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Shutdown: %v", err)
	}
	r.expectEnd(client)
	r.expectEnd(server)
	r.ends(p, CauseShutdown)
}
