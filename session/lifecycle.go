package session

import "net/netip"

// This file has the transitions of a slot. The counters and lists of slots change
// here and nowhere else. All functions run under the table's lock.

// connect counts a connection to a backend, and makes its record if there is
// none.
func (t *Table) connect(backend string) *controller {
	d := t.controllers[backend]
	if d == nil {
		d = &controller{name: backend, associations: make(map[groupKey]*association)}
		t.controllers[backend] = d
	}
	t.counts.Connections++
	d.load.Connections++
	return d
}

// disconnect undoes connect; the caller forgets d at the end of its operation.
func (t *Table) disconnect(d *controller) {
	t.counts.Connections--
	d.load.Connections--
}

// forget removes the record of a backend that has no connection and no session.
// Without connections it has no associations either.
func (t *Table) forget(d *controller) {
	if d.load == (Load{}) && t.controllers[d.name] == d {
		delete(t.controllers, d.name)
	}
}

// reserve makes s a reservation of c, in state claimed or reserved.
func (t *Table) reserve(s *Slot, c *Conn, as state) {
	s.state, s.conn = as, c
	u := s.user
	t.users.restore(u)
	c.reserved.push(s)
	c.controller.load.Reserved++
	if as == stateClaimed {
		s.since = t.clock()
		u.claims.push(s)
		t.counts.Provisional++
		return
	}
	u.reserved++
	t.counts.Reserved++
}

// unreserve undoes reserve. The caller decides what becomes of s, and settles its
// user.
func (t *Table) unreserve(s *Slot) {
	u := s.user
	s.conn.reserved.remove(s)
	s.conn.controller.load.Reserved--
	switch s.state {
	case stateClaimed:
		u.claims.remove(s)
		t.counts.Provisional--
	case stateStale:
		u.stale--
		u.addUnresolved(s.conn.place(), -1)
		t.counts.Provisional--
	case stateReserved:
		u.reserved--
		t.counts.Reserved--
	}
	s.conn = nil
	s.state = stateReleased
}

// drop releases a reservation.
func (t *Table) drop(s *Slot) {
	t.unreserve(s)
	t.settle(s.user)
}

// hold makes the reservation s a session of a.
func (t *Table) hold(s *Slot, a *association) {
	u, cl := s.user, s.conn.clientOf()
	t.unreserve(s)
	t.clients.restore(cl)
	s.state, s.assoc, s.client = stateHeld, a, cl
	s.since = t.clock()
	s.used.Store(int64(s.since))
	u.held.push(s)
	u.granted(s.since)
	cl.held.push(s)
	cl.granted(s.since)
	a.add(s)
	if u.named() {
		a.named++
	}
	if s.opaque {
		t.counts.Opaque++
	}
	if s.unanswered {
		t.counts.Unanswered++
	}
	s.index = int32(len(t.held))
	t.held = append(t.held, s)
	a.controller.load.Sessions++
	t.counts.Binds++
	t.settle(u)
}

// connectionLost makes a reservation of c, which was lost, an unanswered session
// of a, which lives on: the domain controller may have granted it. If the name was
// a mere claim, the session is charged to the client's address, so that it takes
// nothing from the owner of the name; and it becomes an unresolved claim, so that
// this address cannot exceed the limit of the name by losing connections.
func (t *Table) connectionLost(s *Slot, c *Conn, a *association) {
	if s.state == stateReserved {
		s.opaque, s.unanswered = true, true
		t.hold(s, a)
		return
	}
	claimed := s.user
	t.unreserve(s)
	claimed.addUnresolved(c.place(), 1)
	id := Identity{Assurance: AssuranceAddress, Address: c.addr, Network: c.network}
	key := userKey{c.scope, id.Key()}
	u := t.users.byKey[key]
	if u == nil {
		u = t.newUser(key, id)
	}
	charged := t.take(c, u, true)
	charged.opaque, charged.unanswered = true, true
	t.hold(charged, a)
	a.unanswered.claimed, a.unanswered.place = claimed, c.place()
	t.settle(claimed)
}

// end releases a session. The caller counts the reason.
func (t *Table) end(s *Slot) {
	u, cl, d, now := s.user, s.client, s.assoc.controller, t.clock()
	s.used.Store(notLive)
	last := len(t.held) - 1
	t.held[s.index] = t.held[last]
	t.held[s.index].index = s.index
	t.held[last] = nil
	t.held = t.held[:last]
	d.load.Sessions--
	if s.opaque {
		t.counts.Opaque--
	}
	var claimed *user
	var place netip.Addr
	if s.unanswered {
		t.counts.Unanswered--
		claimed, place = s.assoc.unanswered.claimed, s.assoc.unanswered.place
	}
	if u.named() {
		s.assoc.named--
	}
	s.assoc.remove(s)
	u.held.remove(s)
	u.active = now
	cl.held.remove(s)
	cl.active = now
	s.state, s.assoc, s.client = stateReleased, nil, nil
	if cl.held.n == 0 {
		t.clients.archive(cl, true)
	}
	t.settle(u)
	if claimed != nil {
		claimed.addUnresolved(place, -1)
		t.settle(claimed)
	}
	t.forget(d)
}

// unbind releases a session that an NspiUnbind has ended.
func (t *Table) unbind(s *Slot) {
	s.user.unbinds++
	s.client.unbinds++
	t.counts.Unbinds++
	t.end(s)
}
