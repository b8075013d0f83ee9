package session

import "slices"

// This file is the model's associations: who may join, and how they end.

func (m *model) newAssoc(c *modelConn, id uint32) *modelAssoc {
	a := &modelAssoc{place: c.place, id: id, client: c.client, current: id != 0}
	m.assocs = append(m.assocs, a)
	return a
}

func (m *model) assoc(place modelPlace, id uint32) *modelAssoc {
	for _, a := range m.assocs {
		if a.current && a.place == place && a.id == id {
			return a
		}
	}
	return nil
}

func (m *model) mayJoin(c *modelConn, id uint32) error {
	switch {
	case c.closed:
		return ErrClosed
	case c.joined && (id == 0 || id == c.assoc.id):
		return nil
	case c.joined:
		return ErrAssociationChanged
	case c.assoc != nil && c.asked == id:
		return nil
	}
	m.leave(c)
	c.asked = id
	a := m.assoc(c.place, id)
	if a == nil {
		a = m.sibling(c, id)
	}
	switch {
	case id == 0:
		return nil
	case a == nil:
		return ErrUnknownAssociation
	case a.client != c.client:
		return ErrForeignAssociation
	}
	m.enter(c, a)
	return nil
}

// sibling is the association of that id at another endpoint of the same backend:
// another client's, if there is one.
func (m *model) sibling(c *modelConn, id uint32) (own *modelAssoc) {
	for _, a := range m.assocs {
		if !a.current || a.place.backend != c.place.backend || a.id != id {
			continue
		}
		if a.client != c.client {
			return a
		}
		own = a
	}
	return own
}

func (m *model) join(c *modelConn, id uint32) error {
	if c.closed || c.joined {
		return m.mayJoin(c, id)
	}
	a := m.assoc(c.place, id)
	if a == nil && c.assoc != nil && c.asked == id {
		c.joined = true
		return nil
	}
	if a != nil && c.asked == 0 {
		a.current = false
		m.runDown(a)
		a = nil
	}
	if a == nil {
		a = m.newAssoc(c, id)
	}
	if c.assoc != a {
		m.leave(c)
	}
	if a.client != c.client {
		return ErrForeignAssociation
	}
	m.enter(c, a)
	c.joined = true
	return nil
}

// enter makes c a connection of a. One with a user takes over what strangers had.
func (m *model) enter(c *modelConn, a *modelAssoc) {
	c.assoc = a
	a.left = a.left && !c.vouched
}

// vouch notes that a user was accepted on c.
func (m *model) vouch(c *modelConn) {
	if c.closed {
		return
	}
	c.vouched = true
	if c.assoc != nil {
		c.assoc.left = false
	}
}

// leftBy notes that a connection has left a, perhaps to strangers.
func (m *model) leftBy(a *modelAssoc) {
	vouched := slices.ContainsFunc(m.conns, func(c *modelConn) bool { return c.assoc == a && c.vouched })
	if !a.left && m.hasConns(a) && !vouched && m.hasUsers(a) {
		a.left, a.since = true, m.now
	}
}

// hasUsers reports whether there are sessions in a of users with a name.
func (m *model) hasUsers(a *modelAssoc) bool {
	return slices.ContainsFunc(m.slots, func(s *modelSlot) bool { return s.assoc == a && s.user.Assurance >= AssuranceClaimed })
}

// endStrangers ends each connection once.
func (m *model) endStrangers() {
	for _, a := range m.assocs {
		over := a.left && m.now-a.since >= StrangerTime
		if over && m.hasUsers(a) {
			for _, c := range m.conns {
				if c.assoc == a {
					c.expect = 1
				}
			}
		}
		a.left = a.left && !over && m.hasUsers(a)
	}
}

func (m *model) leave(c *modelConn) {
	a := c.assoc
	c.assoc = nil
	if a == nil || m.hasConns(a) {
		if a != nil {
			m.leftBy(a)
		}
		return
	}
	m.assocs = slices.DeleteFunc(m.assocs, func(o *modelAssoc) bool { return o == a })
	m.runDown(a)
}

func (m *model) hasConns(a *modelAssoc) bool {
	return slices.ContainsFunc(m.conns, func(o *modelConn) bool { return o.assoc == a })
}

func (m *model) runDown(a *modelAssoc) {
	for _, s := range slices.Clone(m.slots) {
		if s.phase == phaseHeld && s.assoc == a {
			m.free(s)
			m.total.RunDown++
		}
	}
	m.settle()
}

func (m *model) close(c *modelConn) {
	if c.closed {
		return
	}
	c.closed = true
	if w := m.waiterOf(c); w != nil {
		m.withdraw(w)
	}
	a := c.assoc
	m.leave(c)
	for _, s := range slices.Clone(m.slots) {
		if s.phase == phaseHeld || s.conn != c {
			continue
		}
		claim := s.phase == phaseClaim
		m.free(s)
		if a != nil && m.hasConns(a) {
			m.connectionLost(s, a, claim)
		}
	}
	if a != nil {
		m.leftBy(a)
	}
	m.settle()
}

// connectionLost charges a with what may have been granted on a connection that is gone.
func (m *model) connectionLost(s *modelSlot, a *modelAssoc, claim bool) {
	l := &modelSlot{scope: s.scope, user: s.user, phase: phaseHeld, since: m.now, assoc: a, opaque: true, lost: true}
	if claim {
		l.user, l.claimed = address(a.client), s.owner()
	}
	m.slots = append(m.slots, l)
	m.total.Binds++
	m.binds[l.owner()]++
	m.binds[a.client.String()]++
}

func (m *model) joinRefused(c *modelConn) {
	if !c.joined {
		m.leave(c)
	}
}
