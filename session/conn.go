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
	network    netip.Prefix // that the client is counted in; set by the first Reserve

	recent atomic.Pointer[Slot] // the session that Touch found last

	// Guarded by table.mu. user and client are the records that the connection
	// used last; the table may have forgotten them (index < 0) since.
	user      *user
	client    *client
	assoc     *association
	requested uint32              // the id of the last bind
	joined    bool                // a bind_ack has confirmed assoc
	vouched   bool                // see Vouch
	closed    bool                // Close was called
	reserved  list[Slot, byOwner] // reservations without an answer
	wait      *waiter             // nil unless the last Reserve was answered with Wait
	members   links[Conn]         // association.conns
	end       func()              // see EndWith
}

type byMember struct{}

func (byMember) of(c *Conn) *links[Conn] { return &c.members }

// Close records that the connection has ended. If it was the last of its
// association, its reservations and all sessions of the association are
// released. Otherwise its reservations become unanswered sessions of the
// association: the domain controller may be granting them at this moment, and the
// answer has no connection to come back on. Later calls on c and on its
// reservations do nothing. It is idempotent.
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
	if a != nil && ended == nil {
		t.abandon(a) // of what was in flight there may be sessions of its user
	}
	t.runDown(ended)
	t.forget(c.controller)
}

// Unbound records that the domain controller has confirmed an NspiUnbind of h on
// this connection. It returns false, and changes nothing, if the association
// has no such session, for example because it was confirmed before.
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

// UnboundOpaque records that the domain controller has answered a sealed
// NspiUnbind by the user of that key (see [Identity.Key]). The handle in it cannot
// be read, so the oldest session of this user in the association whose handle is
// unknown, too, is released. It returns false if there is none.
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

// HandleUnknown records that the domain controller has answered an NspiUnbind of h
// by saying that it does not know h: fault context_mismatch, or return code 2. A
// domain controller says so also of a handle that lives, if it is used under another
// user or level than it was made under. So a session of that handle is released, and
// counted as lost by the server, only if caller is the one that it was reserved for
// (see [ReserveRequest]). It returns false if nothing was released.
func (c *Conn) HandleUnknown(h Handle, caller uint32) bool {
	t := c.table
	t.mu.Lock()
	defer t.unlock()
	s := c.find(h)
	if s == nil || caller == 0 || s.caller != caller {
		return false
	}
	t.end(s)
	t.counts.LostByServer++
	return true
}

// NewCaller returns a number for a security context of the connection, or for calls
// without one: for [ReserveRequest.Caller]. It is of no other caller for a very long
// time, and never 0.
func (c *Conn) NewCaller() uint32 {
	for {
		if n := c.table.callers.Add(1); n != 0 {
			return n
		}
	}
}

// HadSession reports whether the connection's association has, or had, a session.
func (c *Conn) HadSession() bool {
	t := c.table
	t.mu.Lock()
	defer t.unlock()
	return c.assoc != nil && c.assoc.used
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
