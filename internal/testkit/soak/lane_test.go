package soak

import (
	"net"
	"net/netip"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nspiproxy/nspiproxy/internal/testkit/mutate"
)

const (
	// connectTime bounds how long the domain controller waits for the proxy to connect to it. Where it does not, the
	// conversation goes on without it.
	connectTime = 300 * time.Millisecond
	// arrivalTime is how long an end waits until what it has sent has arrived. What the proxy refuses, holds or waits for the
	// rest of never does, so this is short.
	arrivalTime = 4 * time.Millisecond
	// writeTime bounds a write to an end that reads no more.
	writeTime = 20 * time.Millisecond
	// pauseTime is the pause between two pieces of a PDU: the proxy reads the first alone.
	pauseTime = time.Millisecond
)

// lane is a client and a domain controller on both sides of the proxy. It carries one conversation at a time.
type lane struct {
	client   netip.Addr
	front    netip.AddrPort // of the proxy
	accepted chan *net.TCPConn

	reached atomic.Int64 // conversations that the domain controller has seen
}

// newLane listens as the domain controller, on a port that the kernel chooses. front is the proxy's address for it.
func newLane(t testing.TB, client, server, front netip.Addr) *lane {
	t.Helper()
	l, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(netip.AddrPortFrom(server, 0)))
	if err != nil {
		t.Fatal(err)
	}
	n := &lane{client: client, accepted: make(chan *net.TCPConn, 16)}
	n.front = netip.AddrPortFrom(front, l.Addr().(*net.TCPAddr).AddrPort().Port())
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.AcceptTCP()
			if err != nil {
				return
			}
			select {
			case n.accepted <- c:
			default:
				c.Close()
			}
		}
	}()
	return n
}

// end is one end of a conversation.
type end struct {
	conn    *net.TCPConn
	sent    int64
	got     atomic.Int64
	arrived chan struct{} // something has, or the other side has closed
	ended   atomic.Bool
	deaf    atomic.Bool
}

func newEnd(c *net.TCPConn) *end {
	e := &end{conn: c, arrived: make(chan struct{}, 1)}
	go e.read()
	return e
}

func (e *end) read() {
	for buf := make([]byte, 16<<10); !e.deaf.Load(); {
		n, err := e.conn.Read(buf)
		e.got.Add(int64(n))
		if err != nil {
			e.ended.Store(true)
		}
		select {
		case e.arrived <- struct{}{}:
		default:
		}
		if err != nil {
			return
		}
	}
}

// has waits until so many bytes have arrived.
func (e *end) has(n int64) {
	for late := time.After(arrivalTime); e.got.Load() < n && !e.ended.Load() && !e.deaf.Load(); {
		select {
		case <-e.arrived:
		case <-late:
			return
		}
	}
}

func (e *end) reset() {
	_ = e.conn.SetLinger(0) // fails only on a closed socket
	e.conn.Close()
}

// run has both ends do what the conversation says.
func (n *lane) run(c mutate.Conversation) error {
	n.hangUp()
	d := net.Dialer{Timeout: answerTime, LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(n.client, 0)), Control: lateBind}
	conn, err := d.Dial("tcp", n.front.String())
	if err != nil {
		return err
	}
	client := newEnd(conn.(*net.TCPConn))
	var server *end
	for _, s := range c.Steps {
		if server == nil {
			server = n.connected(s.Side == mutate.Server)
		}
		from, to := client, server
		if s.Side == mutate.Server {
			from, to = server, client
		}
		if from != nil {
			from.do(s, to)
		}
	}
	if len(c.Steps)%2 == 0 {
		client.reset()
	}
	client.conn.Close()
	if server == nil {
		server = n.connected(false)
	}
	if server != nil {
		server.conn.Close()
	}
	return nil
}

// lateBind leaves the choice of the client's port to connect: a bind would need one that nothing uses.
func lateBind(_, _ string, c syscall.RawConn) (err error) {
	if failed := c.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1) }); failed != nil {
		return failed
	}
	return err
}

// connected returns the domain controller's end once the proxy has connected to it; wait is for that.
func (n *lane) connected(wait bool) *end {
	select {
	case c := <-n.accepted:
		n.reached.Add(1)
		return newEnd(c)
	default:
	}
	if !wait {
		return nil
	}
	select {
	case c := <-n.accepted:
		n.reached.Add(1)
		return newEnd(c)
	case <-time.After(connectTime):
		return nil
	}
}

// hangUp closes what has come too late for its conversation.
func (n *lane) hangUp() {
	for {
		select {
		case c := <-n.accepted:
			c.Close()
		default:
			return
		}
	}
}

// do is one step of the end; other is where it arrives, nil if nothing is there yet.
func (e *end) do(s mutate.Step, other *end) {
	switch s.Do {
	case mutate.Write:
		_ = e.conn.SetWriteDeadline(time.Now().Add(writeTime)) // fails, like the write, on a socket that is closed: as meant
		sent, _ := e.conn.Write(s.Data)
		if e.sent += int64(sent); other != nil {
			other.has(e.sent)
		}
	case mutate.HalfClose:
		_ = e.conn.CloseWrite()
	case mutate.Close:
		e.conn.Close()
	case mutate.Reset:
		e.reset()
	case mutate.Deaf:
		e.deaf.Store(true)
	case mutate.Pause:
		time.Sleep(pauseTime)
	}
}
