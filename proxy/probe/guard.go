package probe

import (
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/nspiproxy/nspiproxy/rpcparse"
)

// What a server may send on one connection of a probe. All of a probe is seven
// PDUs: bind_ack, two legs of a handshake and three answers, each of a few
// hundred bytes; a Kerberos token is at most some tens of kilobytes.
const (
	maxBytes = 256 << 10
	maxPDUs  = 16
)

// guardRead is how much is read at once, in bytes: most answers.
const guardRead = 4096

// guard is the connection that go-msrpc gets. go-msrpc sees whole PDUs only, one
// for each that it has sent, of the kind and size that may answer it, and never
// more than [maxBytes]. The first one that is not so ends the connection for
// go-msrpc, with the reason in failure.
//
// The TCP connection stays open when go-msrpc closes it, until release.
type guard struct {
	net.Conn
	protected bool // the level asks for verifiers on answers

	reading sync.Mutex // one Read at a time; held while it waits
	framer  rpcparse.Framer
	unread  []byte // from the network, not yet framed
	ready   []byte // of a checked PDU, not yet taken by go-msrpc

	mu       sync.Mutex
	asked    *question // not answered
	answers  []int     // lengths of stub that the next answer may have; nil: any
	bytes    int       // from the network
	pdus     int
	stub     int       // length of the latest answer's stub
	group    uint32    // of the bind_ack
	first    time.Time // first write
	negative error     // what the server answered instead of yes
	refused  error     // why nothing more is let in
	broken   error     // how the network ended it
	closed   bool      // by go-msrpc
}

// question is a PDU of ours that the server has to answer.
type question struct {
	ptype  rpcparse.PType
	callID uint32
}

func newGuard(c net.Conn, protected bool) *guard {
	return &guard{Conn: c, protected: protected, framer: rpcparse.Framer{Dir: rpcparse.ServerToClient}}
}

// expect says how long the stub of the next answer may be; nil: as it likes.
func (g *guard) expect(lengths []int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.answers = lengths
}

// stubLength returns the length of the latest answer's stub.
func (g *guard) stubLength() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.stub
}

// association returns the association group id that the server gave.
func (g *guard) association() uint32 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.group
}

// firstWrite returns when the first PDU was sent; zero: none was.
func (g *guard) firstWrite() time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.first
}

// failure returns what ended the conversation as this side of go-msrpc saw it,
// which says more than go-msrpc's own errors; nil if it saw nothing wrong.
func (g *guard) failure() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, err := range []error{g.refused, g.negative, g.broken} {
		if err != nil {
			return err
		}
	}
	return nil
}

// ended reports whether the server has ended the connection.
func (g *guard) ended() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.broken != nil
}

// Close ends the connection for go-msrpc alone.
func (g *guard) Close() error {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	return g.SetReadDeadline(time.Unix(1, 0)) // wakes who waits in Read
}

// release closes the TCP connection.
func (g *guard) release() { g.Conn.Close() }

// Write sends a PDU of go-msrpc, which writes one at a time and whole.
func (g *guard) Write(pdu []byte) (int, error) {
	h, err := rpcparse.ParseHeader(pdu)
	if err == nil && int(h.FragLength) != len(pdu) {
		err = fmt.Errorf("a write of %d bytes, a %s of %d", len(pdu), h.Type, h.FragLength)
	}
	if err != nil {
		return 0, g.refuse(fmt.Errorf("the RPC library sends no PDU: %w", err))
	}
	g.mu.Lock()
	if g.first.IsZero() {
		g.first = time.Now()
	}
	if h.Type != rpcparse.PTypeAuth3 { // never answered
		g.asked = &question{h.Type, h.CallID}
	}
	g.mu.Unlock()
	n, err := g.Conn.Write(pdu)
	if err != nil {
		return n, g.breaks(err)
	}
	return n, nil
}

// Read returns bytes of PDUs that have been checked.
func (g *guard) Read(b []byte) (int, error) {
	g.reading.Lock()
	defer g.reading.Unlock()
	for len(g.ready) == 0 {
		if err := g.admit(); err != nil {
			return 0, err
		}
	}
	n := copy(b, g.ready)
	g.ready = g.ready[n:]
	return n, nil
}

// admit makes the next PDU ready, or reads more of it.
func (g *guard) admit() error {
	if err := g.stopped(); err != nil {
		return err
	}
	pdu, h, err := g.framer.Next(g.unread)
	if err != nil {
		return g.refuse(err)
	}
	if pdu == nil {
		return g.fill()
	}
	if err := g.check(pdu, h); err != nil {
		return g.refuse(err)
	}
	g.ready, g.unread = pdu, slices.Clone(g.unread[len(pdu):])
	return nil
}

func (g *guard) fill() error {
	var chunk [guardRead]byte
	n, err := g.Conn.Read(chunk[:])
	g.unread = append(g.unread, chunk[:n]...)
	g.mu.Lock()
	g.bytes += n
	over := g.bytes > maxBytes
	g.mu.Unlock()
	if over {
		return g.refuse(fmt.Errorf("more than %d bytes", maxBytes))
	}
	if n == 0 && err != nil {
		return g.breaks(err)
	}
	return nil
}

// refuse keeps the first reason for which nothing more is let in, and returns it.
func (g *guard) refuse(err error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.refused == nil {
		g.refused = err
	}
	return g.refused
}

// breaks keeps how the network ended the connection. What happens after
// go-msrpc has closed it is not the network's doing.
func (g *guard) breaks(err error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.closed && g.broken == nil {
		g.broken = err
	}
	return err
}

// stopped returns why nothing more is let in; nil if more is.
func (g *guard) stopped() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return net.ErrClosed
	}
	if g.refused != nil {
		return g.refused
	}
	return g.broken
}
