package relay

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/rpcparse"
)

// testTimeout bounds every wait of these tests; nothing takes that long.
const testTimeout = 10 * time.Second

// probe is a handler whose answers the test gives and whose end it watches.
type probe struct {
	conn       *Conn
	fromClient func(h rpcparse.Header, pdu []byte) Verdict
	fromServer func(h rpcparse.Header, pdu []byte) Verdict
	resume     func(from rpcparse.Direction, h rpcparse.Header, pdu []byte) Verdict
	onClosed   func()
	ends       atomic.Int32
	closed     chan CloseReason
}

func (p *probe) FromClient(h rpcparse.Header, pdu []byte) Verdict {
	if p.fromClient == nil {
		return Verdict{}
	}
	return p.fromClient(h, pdu)
}

func (p *probe) FromServer(h rpcparse.Header, pdu []byte) Verdict {
	if p.fromServer == nil {
		return Verdict{}
	}
	return p.fromServer(h, pdu)
}

func (p *probe) Resume(from rpcparse.Direction, h rpcparse.Header, pdu []byte) Verdict {
	if p.resume == nil {
		return Verdict{}
	}
	return p.resume(from, h, pdu)
}

func (p *probe) Closed(r CloseReason) {
	if p.ends.Add(1) == 1 {
		p.closed <- r
	}
	if p.onClosed != nil {
		p.onClosed()
	}
}

// rig is a relay between test clients and a test server. When the test ends it
// checks what must hold after any connection: Handler.Closed was called exactly
// once, nothing is counted as active, and no descriptor is left.
type rig struct {
	testing.TB
	group  *Group
	ln     *Listener
	server *net.TCPListener
	made   chan *probe // handlers, as connections arrive

	mu     sync.Mutex
	setup  func(*probe) // changes a handler before its first call
	probes []*probe
}

func newRig(t testing.TB, o Options, setup func(*probe)) *rig {
	t.Helper()
	before := descriptors(t)
	r := &rig{TB: t, setup: setup, made: make(chan *probe, 4096)}
	server, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	r.must(err)
	r.server = server
	if o.Loops == 0 {
		o.Loops = 2
	}
	r.group, err = NewGroup(o)
	r.must(err)
	r.listen(ListenOptions{Route: r.to(r.target())})
	t.Cleanup(func() { r.check(before) })
	return r
}

// anyPort is where test listeners are, unless they say otherwise.
var anyPort = netip.MustParseAddrPort("127.0.0.1:0")

// listen adds a listener, through which the rig connects from now on.
func (r *rig) listen(o ListenOptions) {
	r.Helper()
	if !o.Address.IsValid() {
		o.Address = anyPort
	}
	ln, err := r.group.Listen(o)
	r.must(err)
	r.ln = ln
}

// target is the address of the rig's server.
func (r *rig) target() netip.AddrPort { return r.server.Addr().(*net.TCPAddr).AddrPort() }

// to makes a Router that knows one server and tries it once.
func (r *rig) to(server netip.AddrPort) Router {
	return func(c *Conn, attempt int) Route {
		if attempt > 0 {
			return Route{}
		}
		return Route{Handler: r.newHandler(c), Server: server}
	}
}

func (r *rig) newHandler(c *Conn) Handler {
	p := &probe{conn: c, closed: make(chan CloseReason, 1)}
	r.mu.Lock()
	if r.setup != nil {
		r.setup(p)
	}
	r.probes = append(r.probes, p)
	r.mu.Unlock()
	r.made <- p
	return p
}

// configure changes the setup of handlers to come.
func (r *rig) configure(setup func(*probe)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.setup = setup
}

func (r *rig) check(descriptorsBefore int) {
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	_ = r.group.Shutdown(ctx) // what a failed test left open, and connections the test is not about
	_ = r.server.Close()
	for i, p := range r.probes {
		if n := p.ends.Load(); n != 1 {
			r.Errorf("handler %d of %d was closed %d times", i, len(r.probes), n)
		}
	}
	if s := r.group.Stats(); s.Active != 0 {
		r.Errorf("%d connections still counted: %+v", s.Active, s)
	}
	r.eventually("no descriptor left open", func() bool { return descriptors(r) <= descriptorsBefore })
}

// client connects through the relay.
func (r *rig) client() *net.TCPConn {
	r.Helper()
	c, err := net.DialTCP("tcp", nil, net.TCPAddrFromAddrPort(r.ln.Addr()))
	r.must(err)
	r.Cleanup(func() { _ = c.Close() })
	r.must(c.SetDeadline(time.Now().Add(testTimeout)))
	return c
}

// connect makes one connection and returns both of its ends and its handler.
func (r *rig) connect() (client, server *net.TCPConn, p *probe) {
	r.Helper()
	client = r.client()
	return client, r.accept(), r.handler()
}

// accept returns the server's end of the next connection.
func (r *rig) accept() *net.TCPConn {
	r.Helper()
	r.must(r.server.SetDeadline(time.Now().Add(testTimeout)))
	c, err := r.server.AcceptTCP()
	r.must(err)
	r.Cleanup(func() { _ = c.Close() })
	r.must(c.SetDeadline(time.Now().Add(testTimeout)))
	return c
}

func (r *rig) handler() *probe {
	r.Helper()
	select {
	case p := <-r.made:
		return p
	case <-time.After(testTimeout):
		r.Fatal("no handler was made")
		return nil
	}
}

// ends waits for the end of p's connection, which must have the cause.
func (r *rig) ends(p *probe, want Cause) CloseReason {
	r.Helper()
	select {
	case got := <-p.closed:
		if got.Cause != want {
			r.Fatalf("closed because of %v, want %v", got, want)
		}
		return got
	case <-time.After(testTimeout):
		r.Fatalf("not closed, want %v", want)
		return CloseReason{}
	}
}

// await receives what must come.
func await[T any](r *rig, from <-chan T) (v T) {
	r.Helper()
	select {
	case v = <-from:
	case <-time.After(testTimeout):
		r.Fatalf("no %T has come", v)
	}
	return v
}

func (r *rig) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

func (r *rig) eventually(what string, ok func() bool) {
	r.Helper()
	for end := time.Now().Add(testTimeout); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			r.Errorf("still not true: %s", what)
			return
		}
	}
}

// write sends all of b.
func (r *rig) write(c net.Conn, b []byte) {
	r.Helper()
	_, err := c.Write(b)
	r.must(err)
}

// expect reads exactly want.
func (r *rig) expect(c net.Conn, want []byte) {
	r.Helper()
	got := make([]byte, len(want))
	n, err := io.ReadFull(c, got)
	if err != nil {
		r.Fatalf("read %d of %d bytes: %v", n, len(want), err)
	}
	if !bytes.Equal(got, want) {
		r.Fatalf("read other bytes than were sent, from %d on", firstDifference(got, want))
	}
}

// expectEnd reads the end of the stream, and nothing before it.
func (r *rig) expectEnd(c net.Conn) {
	r.Helper()
	if rest, err := io.ReadAll(c); err != nil || len(rest) != 0 {
		r.Fatalf("want the end of the stream, got %d bytes and %v", len(rest), err)
	}
}

// expectNothing makes sure that nothing arrives for a moment.
func (r *rig) expectNothing(c net.Conn) {
	r.Helper()
	r.must(c.SetReadDeadline(time.Now().Add(30 * time.Millisecond)))
	var b [1]byte
	if n, err := c.Read(b[:]); n != 0 || !os.IsTimeout(err) {
		r.Fatalf("want silence, got %d bytes and %v", n, err)
	}
	r.must(c.SetReadDeadline(time.Now().Add(testTimeout)))
}

func firstDifference(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

// openPoller makes Go open the descriptors that its own sockets share, which it
// does for the first of them.
var openPoller = sync.OnceValue(func() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err == nil {
		err = l.Close()
	}
	return err
})

func descriptors(t testing.TB) int {
	t.Helper()
	if err := openPoller(); err != nil {
		t.Fatal(err)
	}
	d, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(d)
}

// pdu makes a PDU of size bytes, with a body that differs from others'.
func pdu(t rpcparse.PType, callID uint32, size int) []byte {
	b := make([]byte, size)
	copy(b, []byte{5, 0, byte(t), byte(rpcparse.FlagFirstFrag | rpcparse.FlagLastFrag), 0x10})
	binary.LittleEndian.PutUint16(b[8:], uint16(size))
	binary.LittleEndian.PutUint32(b[12:], callID)
	for i := rpcparse.HeaderSize; i < size; i++ {
		b[i] = byte(uint32(i)*7 + callID)
	}
	return b
}

func request(callID uint32, size int) []byte  { return pdu(rpcparse.PTypeRequest, callID, size) }
func response(callID uint32, size int) []byte { return pdu(rpcparse.PTypeResponse, callID, size) }
