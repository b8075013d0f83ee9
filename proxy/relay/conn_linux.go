package relay

import (
	"net/netip"
	"sync/atomic"

	"github.com/nspiproxy/nspiproxy/rpcparse"
)

// Conn is one client's connection and the one to the server made for it. Its
// methods belong to its handler, on its loop, but for Wake and Decide.
//
// There may be tens of thousands, most of them idle: what is here is what an
// idle connection costs.
type Conn struct {
	loop     *loop
	listener *Listener
	handler  Handler
	client   side
	server   side
	timer    timer
	reason   CloseReason     // from the moment it is known
	peer     *netip.AddrPort // of the client's socket; nil: origin
	slot     int32
	head     Head

	origin endpoint // who the client is
	local  endpoint // what it connected to
	remote endpoint // the server of the current attempt

	state    state
	attempts uint8 // of routing, so far

	headed  bool // head is one
	proxied bool // a PROXY header is to come
	bare    bool // not RPC: bytes pass unseen
	framed  bool // a PDU has been seen, from either side
	orphan  bool // the server has ended its stream
	queued  bool // in the loop's list of what to do next

	waking    atomic.Bool  // a wake is in the mailbox
	decisions atomic.Int32 // how many are in the mailbox
}

// state is drawn as a table in the package's comment.
type state uint8

const (
	stateArriving state = iota
	stateDialing
	stateOpen
	stateClosing
	stateBroken // the handler panicked
	stateGone
)

func newConn(l *loop, ln *Listener, fd int32, client netip.AddrPort) *Conn {
	c := &Conn{loop: l, listener: ln, origin: newEndpoint(client)}
	c.client = newSide(fd, rpcparse.ClientToServer, l.group.options.Limits)
	c.server = newSide(-1, rpcparse.ServerToClient, l.group.options.Limits)
	c.slot = l.slots.take(c, nil)
	return c
}

// Client returns the client's address: the one in the PROXY header, where there
// was one, or else Peer.
func (c *Conn) Client() netip.AddrPort { return c.origin.addrPort() }

// Peer returns the address at the other end of the client's socket.
func (c *Conn) Peer() netip.AddrPort {
	if c.peer != nil {
		return *c.peer
	}
	return c.origin.addrPort()
}

// Local returns what the client, or the load balancer that sent a PROXY header,
// connected to: in the transparent modes the client's original destination, or
// else an address of this machine. It is never taken from a PROXY header.
func (c *Conn) Local() netip.AddrPort { return c.local.addrPort() }

// Head returns what the client's first PDU says; false: it is not a bind, or
// ListenOptions.Head is not set.
func (c *Conn) Head() (Head, bool) { return c.head, c.headed }

// Server returns the address of the server that the current attempt is, or will
// be, connected to; zero before the first Route.
func (c *Conn) Server() netip.AddrPort { return c.remote.addrPort() }

// Wake makes the loop ask Handler.Resume for each PDU held by then. It may be
// called from any goroutine, at any time, also from inside the handler and after
// the connection has ended; it never blocks on the loop. A wake that arrives
// before the handler's Hold has been returned is not lost.
func (c *Conn) Wake() {
	if c.waking.CompareAndSwap(false, true) {
		c.loop.mailbox.post(message{op: opWake, conn: c})
	}
}

// HandshakeDone ends Options.HandshakeTimeout. A forwarded bind_ack does the
// same.
func (c *Conn) HandshakeDone() {
	if c.timer.class == timerHandshake {
		c.loop.timers.stop(c)
	}
}

// SetMaxFragment tells the fragment size that was negotiated for one direction
// (rpcparse.Framer.SetMaxFragment).
func (c *Conn) SetMaxFragment(d rpcparse.Direction, n int) {
	c.from(d).framer.SetMaxFragment(n)
}

// from returns the side that sends in direction d.
func (c *Conn) from(d rpcparse.Direction) *side {
	if d == rpcparse.ClientToServer {
		return &c.client
	}
	return &c.server
}

// other returns the side that s sends to.
func (c *Conn) other(s *side) *side {
	if s == &c.client {
		return &c.server
	}
	return &c.client
}

// counters returns the counters of what comes from s.
func (c *Conn) counters(s *side) *flowCounters {
	if s == &c.client {
		return &c.loop.counters.client
	}
	return &c.loop.counters.server
}

// drive does all that can be done now, in whatever state: it is called after an
// event of either socket, a wake, or a turn that left something to do.
func (c *Conn) drive() {
	switch c.state {
	case stateArriving:
		c.arrive()
	case stateDialing:
		c.dialed()
	case stateBroken:
		c.finish(c.reason, true)
	}
	if c.state == stateOpen {
		c.flush(&c.client)
		c.flush(&c.server)
		c.pump(&c.client)
		c.pump(&c.server)
		c.settle()
	}
	if c.state == stateClosing {
		c.drain()
	}
}
