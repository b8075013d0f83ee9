package session

import "errors"

// Errors of [Conn.MayJoin] and [Conn.Join].
var (
	// ErrUnknownAssociation: no live connection of the association is known.
	// A domain controller answers such a bind with bind_nak.
	ErrUnknownAssociation = errors.New("session: unknown association")
	// ErrForeignAssociation: the association belongs to another client address
	// (MS-RPCE 3.3.1.5.7).
	ErrForeignAssociation = errors.New("session: association of another client")
	// ErrUnanswered: the association has lost too many connections with an
	// NspiBind in flight. The client needs a new association.
	ErrUnanswered = errors.New("session: association with too many unanswered binds")
	// ErrAssociationChanged: the connection belongs to another association.
	ErrAssociationChanged = errors.New("session: connection belongs to another association")
	// ErrClosed: the connection is closed.
	ErrClosed = errors.New("session: connection is closed")
)

// rundownBatch is how many sessions of an association that has ended are released
// under one lock, which takes some 100 µs. A client may have leaked thousands, and
// the binds of others must not wait for all of them.
const rundownBatch = 512

// maxUnanswered is how many unanswered sessions an association may have before no
// further connection can join it. Each takes memory until the association ends,
// and a client that binds and resets over and over needs no password to make
// more. Losing a connection is rare, and an association has a handful.
const maxUnanswered = 256

// MayJoin takes the association id of a bind before the bind is forwarded, 0
// included, and returns nil if this client may join that association. Until the
// bind is answered, the connection counts as one of the association: if the
// others close meanwhile, its sessions must live on, because the domain
// controller receives the bind before it sees their end.
func (c *Conn) MayJoin(groupID uint32) error { return c.mayJoin(groupID, true) }

// MayJoinElsewhere is MayJoin for a bind that can open no session, of a client that may
// have connections to the domain controller which are not in the table. An association
// that is not known may be one of those: it is the domain controller's to judge. If it
// lets c join, the association is partly unseen.
func (c *Conn) MayJoinElsewhere(groupID uint32) error { return c.mayJoin(groupID, false) }

// MayOpen returns why no session may be opened on a connection that was let into an
// association by [Conn.MayJoinElsewhere]; nil: one may. A session would live on with a
// connection that is not in the table.
func (c *Conn) MayOpen() error {
	t := c.table
	t.mu.Lock()
	defer t.unlock()
	if c.assoc == nil && c.requested != 0 || c.assoc != nil && c.assoc.unseen {
		return ErrUnknownAssociation
	}
	return nil
}

func (c *Conn) mayJoin(groupID uint32, opens bool) error {
	t := c.table
	t.mu.Lock()
	defer t.unlock()
	ended, err := c.requestJoin(groupID, opens)
	t.runDown(ended)
	return err
}

// requestJoin makes c a connection of the association that it asks for. It
// returns the association that c leaves by that, if this has ended.
func (c *Conn) requestJoin(groupID uint32, opens bool) (ended *association, err error) {
	switch {
	case c.closed:
		return nil, ErrClosed
	case c.joined:
		return nil, c.sameGroup(groupID)
	case c.assoc != nil && c.requested == groupID:
		return nil, nil
	}
	ended = c.leave()
	c.requested = groupID
	if groupID == 0 {
		return ended, nil
	}
	a := c.controller.associations[groupKey{c.endpoint, groupID}]
	if a == nil {
		a = c.sibling(groupID)
	}
	switch {
	case a == nil && !opens:
		return ended, nil
	case a == nil, a.unseen && opens:
		return ended, ErrUnknownAssociation
	case a.client != c.addr:
		return ended, ErrForeignAssociation
	case a.nUnanswered >= maxUnanswered:
		return ended, ErrUnanswered
	}
	c.enter(a)
	return ended, nil
}

// sibling returns the association of that id at another endpoint of the domain
// controller, or nil. One server process may serve several endpoints with the
// same associations (Samba does), and its bind_ack confirms it. But a domain
// controller has several server processes, which may use the same id for
// different associations. So if any association of that id is another client's,
// that one is returned: the server might put c into it.
func (c *Conn) sibling(groupID uint32) (own *association) {
	for _, endpoint := range c.controller.endpoints {
		a := c.controller.associations[groupKey{endpoint, groupID}]
		switch {
		case a == nil:
		case a.client != c.addr:
			return a
		default:
			own = a
		}
	}
	return own
}

// JoinRefused records that the domain controller has refused the bind (bind_nak):
// the connection is not in the association that it has asked for. It does
// nothing once a bind was accepted.
func (c *Conn) JoinRefused() {
	t := c.table
	t.mu.Lock()
	defer t.unlock()
	if !c.joined {
		t.runDown(c.leave())
	}
}

// Join records the association id of a bind_ack. Later ids (of
// alter_context_resp) must repeat it or be 0. An id of 0 in the first gives the
// connection an association that no other can join.
//
// The bind_ack to a connection that did not ask for an association has the id of
// a new one. If the table still knows an older association of that id, this one
// has ended on the domain controller, which has restarted, or has seen its last
// connection close before the caller did. Its sessions are released.
func (c *Conn) Join(groupID uint32) error {
	t := c.table
	t.mu.Lock()
	defer t.unlock()
	if c.closed {
		return ErrClosed
	}
	if c.joined {
		return c.sameGroup(groupID)
	}
	known := c.controller.associations[groupKey{c.endpoint, groupID}]
	if known != nil && c.requested == 0 {
		c.confirm(c.newAssociation(groupID))
		t.runDown(known)
		return nil
	}
	if known != nil && known == c.assoc {
		c.joined = true
		return nil
	}
	if known == nil && c.assoc != nil && c.requested == groupID {
		c.joined = true // the server shares the association among its endpoints
		return nil
	}
	// The answer has another id than the bind had.
	ended := c.leave()
	var err error
	switch {
	case known == nil:
		a := c.newAssociation(groupID)
		a.unseen = groupID != 0 && c.requested == groupID
		c.confirm(a)
	case known.client == c.addr:
		c.confirm(known)
	default:
		err = ErrForeignAssociation
	}
	t.runDown(ended)
	return err
}

// sameGroup checks an id of a later bind or answer of a connection that has joined.
func (c *Conn) sameGroup(groupID uint32) error {
	if groupID != 0 && groupID != c.assoc.key.id {
		return ErrAssociationChanged
	}
	return nil
}

// newAssociation makes an association of c's client at c's endpoint, which
// others can join unless its id is 0. It replaces an older one of the same id.
func (c *Conn) newAssociation(groupID uint32) *association {
	d := c.controller
	a := &association{controller: d, key: groupKey{c.endpoint, groupID}, client: c.addr}
	if groupID != 0 {
		d.associations[a.key] = a
	}
	c.table.counts.Associations++
	return a
}

// enter makes c one of the connections of a.
func (c *Conn) enter(a *association) {
	c.assoc = a
	a.conns.push(c)
	if c.vouched {
		a.vouched++
		c.table.reclaim(a)
	}
}

// confirm makes c one of the connections of a, which a bind_ack has confirmed.
func (c *Conn) confirm(a *association) {
	c.enter(a)
	c.joined = true
}

// leave takes c out of its association, if any. If c was its last connection the
// association has ended (MS-RPCE 3.3.3.7.1), and it is returned: the caller runs
// it down.
func (c *Conn) leave() (ended *association) {
	a, t := c.assoc, c.table
	if a == nil {
		return nil
	}
	c.assoc = nil
	a.conns.remove(c)
	if c.vouched {
		a.vouched--
	}
	if a.conns.n > 0 {
		t.abandon(a)
		return nil
	}
	t.reclaim(a)
	if d := a.controller; d.associations[a.key] == a {
		delete(d.associations, a.key)
	}
	t.counts.Associations--
	return a
}

// runDown releases all sessions of a, which has no connection any more; a may be
// nil. It releases the lock between batches: it must be the last step of an
// operation.
func (t *Table) runDown(a *association) {
	if a == nil {
		return
	}
	for n := 1; ; n++ {
		s := a.anySession()
		if s == nil {
			return
		}
		t.end(s)
		t.counts.RunDown++
		if n%rundownBatch == 0 {
			t.unlock()
			t.mu.Lock()
		}
	}
}
