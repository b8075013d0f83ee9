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
	// NspiBind in flight. The client needs a new one.
	ErrUnanswered = errors.New("session: association with too many unanswered binds")
	// ErrAssociationChanged: the connection belongs to another association.
	ErrAssociationChanged = errors.New("session: connection belongs to another association")
	// ErrClosed: the connection is closed.
	ErrClosed = errors.New("session: connection is closed")
)

// rundownBatch is how many sessions of a lost association are released under
// one lock: some 100 µs, so that other connections need not wait for the end of
// a client that leaked thousands.
const rundownBatch = 512

// maxUnanswered is how many unanswered binds an association may have before no
// further connection can join it. Each is remembered until the association
// ends, and a client that binds and resets over and over needs no password to
// make more. Losing a connection is rare, and an association has a handful.
const maxUnanswered = 256

// MayJoin is told the association id of a bind before it is forwarded, 0
// included, and reports whether this client may have it. Until the bind is
// answered, the connection counts as one of the association, so that its
// sessions survive if the others close meanwhile: on the domain controller, too,
// the join came first.
func (c *Conn) MayJoin(groupID uint32) error {
	t := c.table
	t.mu.Lock()
	defer t.unlock()
	ended, err := c.ask(groupID)
	t.runDown(ended)
	return err
}

// ask is MayJoin without its consequences for the association that c leaves.
func (c *Conn) ask(groupID uint32) (ended *association, err error) {
	switch {
	case c.closed:
		return nil, ErrClosed
	case c.joined:
		return nil, c.sameGroup(groupID)
	case c.assoc != nil && c.asked == groupID:
		return nil, nil
	}
	ended = c.leave()
	c.asked = groupID
	if groupID == 0 {
		return ended, nil
	}
	a := c.controller.associations[groupKey{c.endpoint, groupID}]
	if a == nil {
		a = c.sibling(groupID)
	}
	switch {
	case a == nil:
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
// controller. One server process may serve several endpoints with the same
// associations (Samba does): it says so by its bind_ack. A domain controller has
// several processes, too, which may give one id twice. If any of these is another
// client's it may be the one that the server would put c into, whatever else the
// client has under that id: then that is what is returned.
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

// JoinRefused tells that the domain controller has refused the bind (bind_nak):
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

// Join is told the association id of a bind_ack. Later ones (of
// alter_context_resp) must repeat it or be 0. An id of 0 in the first gives the
// connection an association that no other can join.
//
// A connection that did not ask for an association is told the id of a new one.
// If the table still knows an older association of that id, it is over on the
// domain controller (which has restarted, or has seen its last connection close
// before the caller did), and its sessions are released.
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
	if known != nil && c.asked == 0 {
		c.confirm(c.newAssociation(groupID))
		t.runDown(known)
		return nil
	}
	if known != nil && known == c.assoc {
		c.joined = true
		return nil
	}
	if known == nil && c.assoc != nil && c.asked == groupID {
		c.joined = true // the server shares the association among its endpoints
		return nil
	}
	// The answer names another association than the bind did.
	ended := c.leave()
	var err error
	switch {
	case known == nil:
		c.confirm(c.newAssociation(groupID))
	case known.client == c.addr:
		c.confirm(known)
	default:
		err = ErrForeignAssociation
	}
	t.runDown(ended)
	return err
}

// sameGroup checks an id that is told to a connection that has joined.
func (c *Conn) sameGroup(groupID uint32) error {
	if groupID != 0 && groupID != c.assoc.key.id {
		return ErrAssociationChanged
	}
	return nil
}

// newAssociation makes an association of c's client at c's endpoint, which
// others can join unless its id is 0. It takes the place of an older one of the
// same id.
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
	a.conns++
}

// confirm is enter for good.
func (c *Conn) confirm(a *association) {
	c.enter(a)
	c.joined = true
}

// leave is the opposite of enter. If c was the last connection the association
// has ended (MS-RPCE 3.3.3.7.1); it is returned, to be run down.
func (c *Conn) leave() (ended *association) {
	a, t := c.assoc, c.table
	if a == nil {
		return nil
	}
	c.assoc = nil
	a.conns--
	if a.conns > 0 {
		return nil
	}
	if d := a.controller; d.associations[a.key] == a {
		delete(d.associations, a.key)
	}
	t.counts.Associations--
	return a
}

// runDown releases all sessions of a, which nobody can join any more; a may be
// nil. It releases the lock between batches: it must be the last step of an
// operation.
func (t *Table) runDown(a *association) {
	if a == nil {
		return
	}
	for n := 1; ; n++ {
		s := a.oldest()
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
