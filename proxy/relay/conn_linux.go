package relay

import (
	"net/netip"
	"sync/atomic"

	"github.com/nspiproxy/nspiproxy/rpcparse"
)

// Conn is one client's connection and the connection to the server that was made
// for it. Its handler may call the methods, on its loop; Wake and Decide may be
// called from any goroutine.
//
// There may be tens of thousands, most of them idle, and this struct is most of
// what an idle connection costs.
type Conn struct {
	loop     *loop
	listener *Listener
	handler  Handler
	client   side
	server   side
	timer    timer
	reason   CloseReason // set while the connection is being closed
	proxied  *proxied    // nil: there was no PROXY header with an address
	slot     int32
	record   int32 // of the connection to the server, in Options.Record; 0: none
	kept     int32 // bytes that the handler keeps, see Keeps
	head     Head

	origin endpoint // who the client is
	local  endpoint // what it connected to
	remote endpoint // the server of the current attempt

	state    state
	attempts uint8 // of routing, so far

	hasHead      bool // head is known
	awaitsProxy  bool // a PROXY header has to come first
	passThrough  bool // not RPC: bytes are passed on without framing
	framed       bool // a PDU has been seen, from either side
	asked        bool // see Group.Ask
	brief        bool // see Route.Brief
	bound        bool // a bind was acknowledged
	waiting      bool // the server has no room for bytes, see checkRoom
	moved        bool // see Group.ResetMoved
	foreign      bool // the server sees another machine's address
	serverClosed bool // the server has ended its stream, and all of it has been handled
	queued       bool // in the loop's runQueue
	unfinished   bool // see Keeps
	crowded      bool // counted in Group.crowd
	awaits       bool // see AwaitSession
	heard        bool // its client has sent something since it was driven last

	waking    atomic.Bool  // a wake is in the mailbox
	decisions atomic.Int32 // how many decisions are in the mailbox
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

// Client returns the client's address: the one in the PROXY header if there was
// one, otherwise Peer.
func (c *Conn) Client() netip.AddrPort { return c.origin.addrPort() }

// Peer returns the address at the other end of the client's socket.
func (c *Conn) Peer() netip.AddrPort {
	if c.proxied != nil {
		return c.proxied.peer
	}
	return c.origin.addrPort()
}

// Local returns what the client, or the load balancer that sent a PROXY header,
// connected to: in the transparent modes the client's original destination, or
// else an address of this machine. It is never taken from a PROXY header.
func (c *Conn) Local() netip.AddrPort { return c.local.addrPort() }

// Reached returns what the client connected to as far as is known: the destination
// in the PROXY header if there was one, otherwise Local.
func (c *Conn) Reached() netip.AddrPort {
	if c.proxied != nil && c.proxied.to.IsValid() {
		return c.proxied.to
	}
	return c.local.addrPort()
}

// Head returns what the client's first PDU says. It returns false when that is not
// a bind, or when ListenOptions.Head is not set.
func (c *Conn) Head() (Head, bool) { return c.head, c.hasHead }

// Server returns the address of the server that the current attempt connects to;
// the zero AddrPort before the first Route.
func (c *Conn) Server() netip.AddrPort { return c.remote.addrPort() }

// Wake makes the loop call Handler.Resume for each PDU that is pending by then. It
// may be called from any goroutine, at any time, also from inside the handler and
// after the connection has ended; it never waits for the loop. A wake that comes
// before the handler has returned Hold is not lost.
func (c *Conn) Wake() {
	if c.waking.CompareAndSwap(false, true) {
		c.loop.mailbox.post(message{op: opWake, conn: c})
	}
}

// HandshakeDone ends Options.HandshakeTimeout for good. A bind_ack of the server does
// the same.
func (c *Conn) HandshakeDone() {
	c.bound = true
	c.bindSent()
}

// bindSent stops Options.HandshakeTimeout: the server has a bind to answer, and takes
// as long as it takes.
func (c *Conn) bindSent() {
	if c.timer.class == timerHandshake {
		c.loop.timers.stop(c)
	}
}

// bindRefused gives the client time for another bind.
func (c *Conn) bindRefused() {
	if !c.bound && c.isFree() {
		c.loop.timers.start(c, timerHandshake, c.loop.now())
	}
}

// SetMaxFragment sets the fragment size that was negotiated for one direction, in
// bytes (see rpcparse.Framer.SetMaxFragment).
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

// counters returns the counters of what s sends.
func (c *Conn) counters(s *side) *flowCounters {
	if s == &c.client {
		return &c.loop.counters.client
	}
	return &c.loop.counters.server
}

// drive does everything that can be done now, in any state. It is called after an
// event of either socket, a wake or a decision, and for connections in the
// runQueue.
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
	if c.state == stateOpen {
		c.timePart()
	}
	if c.state == stateClosing {
		c.drain()
	}
}
