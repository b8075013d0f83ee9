package session

import (
	"net/netip"
	"sync/atomic"
)

// Conn is one TCP connection.
type Conn struct {
	table      *Table
	addr       netip.Addr
	scope      string
	controller *controller
	endpoint   string

	recent atomic.Pointer[Slot] // the session that Touch found last

	// Guarded by table.mu. user and client are what the connection had last;
	// they may be forgotten (index < 0) by now.
	user     *user
	client   *client
	assoc    *association
	asked    uint32              // the id of the last bind
	joined   bool                // assoc is confirmed by a bind_ack
	closed   bool                // Close was called
	reserved list[Slot, byOwner] // reservations without an answer
	wait     *waiter             // nil unless the last Reserve was answered with Wait
}

// Close tells that the connection is gone. If it was the last of its
// association, its reservations and all sessions of the association are
// released. Otherwise its reservations become sessions of the association: the
// domain controller may be granting them at this moment, and nobody will hear
// of it. Later calls on c and on its reservations do nothing. It is idempotent.
//
// The sessions of a large association are released in several steps, all of
// them before Close returns.
func (c *Conn) Close() {
	t := c.table
	t.mu.Lock()
	defer t.unlock()
	if c.closed {
		return
	}
	c.closed = true
	t.disconnect(c.controller)
	c.stopWaiting()
	c.recent.Store(nil)
	a := c.assoc
	ended := c.leave()
	for s := c.reserved.head; s != nil; s = c.reserved.head {
		if a == nil || ended != nil {
			t.drop(s)
		} else {
			t.connectionLost(s, c, a)
		}
	}
	t.runDown(ended)
	t.forget(c.controller)
}

// Unbound tells that the domain controller has confirmed an NspiUnbind of h on
// this connection. It returns false, and changes nothing, if the association
// has no such session; that is so when it was confirmed before.
func (c *Conn) Unbound(h Handle) bool {
	t := c.table
	t.mu.Lock()
	defer t.unlock()
	s := c.find(h)
	if s == nil {
		return false
	}
	t.unbind(s)
	return true
}

// UnboundOpaque tells that the domain controller has answered a sealed
// NspiUnbind by the user of that key (see [Identity.Key]). Which session it was
// cannot be seen; the oldest one of this user in the association whose own
// handle could not be read is released. It returns false if there is none.
func (c *Conn) UnboundOpaque(key string) bool {
	t := c.table
	t.mu.Lock()
	defer t.unlock()
	g := c.findOpaque(key)
	if g == nil {
		return false
	}
	t.unbind(g.held.head)
	return true
}

// HandleUnknown tells that the domain controller does not know h, though it was
// asked to unbind it: fault context_mismatch, or return code 2. A session of
// that handle is released and counted as lost by the server. It returns false if there is
// none, which is what a client gets for asking for a handle it never had.
func (c *Conn) HandleUnknown(h Handle) bool {
	t := c.table
	t.mu.Lock()
	defer t.unlock()
	s := c.find(h)
	if s == nil {
		return false
	}
	t.end(s)
	t.counts.LostByServer++
	return true
}

// find returns the session of h in c's association, or nil.
func (c *Conn) find(h Handle) *Slot {
	if !c.joined || c.closed {
		return nil
	}
	return c.assoc.find(h)
}

// findOpaque returns the opaque sessions of key in c's association, or nil.
func (c *Conn) findOpaque(key string) *opaqueSessions {
	if !c.joined || c.closed {
		return nil
	}
	i := c.assoc.opaqueOf(key)
	if i < 0 {
		return nil
	}
	return &c.assoc.opaque[i]
}
