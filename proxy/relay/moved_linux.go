package relay

import (
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// neverGiveUp keeps a connection until it is ended: else the kernel would give it up
// after Options.KeepAlive, and the server would never hear of it.
var neverGiveUp = []option{{unix.SOL_SOCKET, unix.SO_KEEPALIVE, 0}}

// moving is one call of ResetMoved.
type moving struct {
	Moved
	loops          atomic.Int64 // that have not visited all of their connections
	ended, waiting atomic.Int64
}

// ResetMoved ends connections whose packets come through another machine from now on,
// as those of clients do when a router beside this one has taken over. No side would
// hear of the end from its peer. Both are sent a reset, which has the right sequence
// number, under the peer's address. A connection whose server cannot be sent anything
// waits for a later call; one that is dialled is given up.
//
// The functions of m are called on the loops, concurrently, and must not block. It
// does not wait for them.
func (g *Group) ResetMoved(m Moved) {
	all := &moving{Moved: m}
	all.loops.Store(int64(len(g.loops)))
	for _, l := range g.loops {
		if !l.mailbox.post(message{op: opSweep, sweep: &sweep{moved: all}}) {
			all.visited() // the loop has ended, and so have its connections
		}
	}
}

// visit ends a connection, or has it wait, if it has moved.
func (m *moving) visit(c *Conn) {
	if c.state != stateDialing && c.state != stateOpen && c.state != stateClosing {
		return // there is no connection to the server
	}
	c.moved = c.moved || m.Is != nil && c.handler != nil && m.Is(c.handler)
	switch {
	case !c.moved:
	case c.state != stateDialing && !m.Linked(c.remote.addrPort().Addr()):
		m.waiting.Add(1)
		for _, s := range c.sides() {
			_ = setOptions(s.fd, neverGiveUp) // fails only on a socket that has failed
		}
	default:
		m.ended.Add(1)
		c.finish(CloseReason{Cause: CauseMoved}, true)
	}
}

// visited notes that a loop has visited all of its connections.
func (m *moving) visited() {
	if m.loops.Add(-1) == 0 && m.Done != nil {
		m.Done(int(m.ended.Load()), int(m.waiting.Load()))
	}
}
