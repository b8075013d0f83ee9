package session

// This file has the transitions of a slot. Every counter and every list
// changes here and nowhere else. All functions run under the table's lock.

// reserve makes s a reservation of c: claimed or reserved.
func (t *Table) reserve(s *Slot, c *Conn, as state) {
	s.state, s.conn = as, c
	u := s.user
	t.users.rouse(u)
	c.reserved.push(s)
	if as == stateClaimed {
		s.since = t.clock()
		u.claims.push(s)
		t.counts.Provisional++
		return
	}
	u.reserved++
	t.counts.Reserved++
}

// unreserve undoes reserve; the caller says what becomes of s and settles its
// user.
func (t *Table) unreserve(s *Slot) {
	u := s.user
	s.conn.reserved.remove(s)
	switch s.state {
	case stateClaimed:
		u.claims.remove(s)
		t.counts.Provisional--
	case stateStale:
		u.stale--
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
	t.clients.rouse(cl)
	s.state, s.assoc, s.client = stateHeld, a, cl
	s.since = t.clock()
	s.used.Store(int64(s.since))
	u.held.push(s)
	u.granted(s.since)
	cl.held.push(s)
	cl.granted(s.since)
	a.own(s)
	if s.opaque {
		t.counts.Opaque++
	}
	s.index = int32(len(t.held))
	t.held = append(t.held, s)
	t.counts.Binds++
	t.settle(u)
}

// end releases a session; the caller counts why.
func (t *Table) end(s *Slot) {
	u, cl, now := s.user, s.client, t.clock()
	s.used.Store(notLive)
	last := len(t.held) - 1
	t.held[s.index] = t.held[last]
	t.held[s.index].index = s.index
	t.held[last] = nil
	t.held = t.held[:last]
	if s.opaque {
		t.counts.Opaque--
	}
	s.assoc.disown(s)
	u.held.remove(s)
	u.active = now
	cl.held.remove(s)
	cl.active = now
	s.state, s.assoc, s.client = stateReleased, nil, nil
	if cl.held.n == 0 {
		t.clients.rest(cl, true)
	}
	t.settle(u)
}

// unbind releases a session that an NspiUnbind has ended.
func (t *Table) unbind(s *Slot) {
	s.user.unbinds++
	s.client.unbinds++
	t.counts.Unbinds++
	t.end(s)
}
