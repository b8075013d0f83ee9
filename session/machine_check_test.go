package session

import (
	"net/netip"

	"pgregory.net/rapid"
)

// check compares everything that can be seen, and the invariants behind it.
func (m *machine) check(t *rapid.T) {
	m.checkCounts(t)
	m.checkLoads(t)
	m.checkUsers(t)
	m.checkSessions(t)
	m.checkWaiters(t)
	m.checkStrangers(t)
	m.checkRecords(t)
}

func (m *machine) checkCounts(t *rapid.T) {
	want := m.model.total
	users, clients := map[string]bool{}, map[netip.Addr]bool{}
	for _, c := range m.model.conns {
		if !c.closed {
			want.Connections++
		}
	}
	for _, a := range m.model.assocs {
		for _, c := range m.model.conns {
			if c.assoc == a {
				want.Associations++
				break
			}
		}
	}
	for _, s := range m.model.slots {
		users[s.owner()] = true
		switch s.phase {
		case phaseHeld:
			clients[s.assoc.client] = true
			want.Sessions++
			if s.opaque {
				want.Opaque++
			}
			if s.lost {
				want.Unanswered++
			}
			if s.claimed != "" {
				users[s.claimed] = true
			}
		case phaseProven:
			want.Reserved++
		case phaseClaim:
			want.Provisional++
		}
	}
	for _, w := range m.model.waiters {
		if w.waiting {
			want.Waiting++
			users[w.owner()] = true
		}
	}
	want.Users, want.Clients = len(users), len(clients)
	if got := m.table.Count(); got != want {
		t.Fatalf("Count\n got %+v\nwant %+v", got, want)
	}
	if want.Binds != want.Unbinds+want.RunDown+want.LostByServer+uint64(want.Sessions) {
		t.Fatalf("sessions do not add up: %+v", want)
	}
}

// checkLoads compares the loads of the backends, which add up to the counts, and
// demands that no record of a backend outlives them.
func (m *machine) checkLoads(t *rapid.T) {
	want := map[string]Load{}
	count := func(backend string, change func(*Load)) {
		l := want[backend]
		change(&l)
		want[backend] = l
	}
	for _, c := range m.model.conns {
		if !c.closed {
			count(c.place.backend, func(l *Load) { l.Connections++ })
		}
	}
	for _, s := range m.model.slots {
		if s.phase == phaseHeld {
			count(s.backend(), func(l *Load) { l.Sessions++ })
		} else {
			count(s.backend(), func(l *Load) { l.Reserved++ })
		}
	}
	var sum Load
	for _, backend := range []string{"dc1", "dc2", "dc3"} {
		got := m.table.Load(backend)
		if got != want[backend] {
			t.Fatalf("load of %s is %+v, want %+v", backend, got, want[backend])
		}
		sum = Load{sum.Sessions + got.Sessions, sum.Reserved + got.Reserved, sum.Connections + got.Connections}
	}
	n := m.table.Count()
	if counted := (Load{n.Sessions, n.Reserved + n.Provisional, n.Connections}); sum != counted {
		t.Fatalf("loads add up to %+v, counts to %+v", sum, counted)
	}
	if len(m.table.controllers) != len(want) {
		t.Fatalf("%d backends remembered, %d are used", len(m.table.controllers), len(want))
	}
}

func (m *machine) checkUsers(t *rapid.T) {
	seen := map[string]bool{}
	for _, e := range m.table.Users() {
		owner := ownerIn(e.Scope, e.User)
		seen[owner] = true
		if e.Key != e.User.Key() || e.Usage != m.model.usage(owner) || int(e.Binds) != m.model.binds[owner] || int(e.Unbinds) != m.model.unbinds[owner] {
			t.Fatalf("user %+v, want %+v", e, m.model.usage(owner))
		}
	}
	for _, s := range m.model.slots {
		if !seen[s.owner()] {
			t.Fatalf("%v is not listed", s.owner())
		}
	}
	for _, e := range m.table.Clients() {
		name := e.Client.String()
		if int(e.Binds) != m.model.binds[name] || int(e.Unbinds) != m.model.unbinds[name] {
			t.Fatalf("client %+v", e)
		}
	}
}

// checkSessions compares the live sessions of each user, in their order.
func (m *machine) checkSessions(t *rapid.T) {
	for _, id := range []Identity{account("anna"), account("bob"), {SID: "S-1-5-21-1", Assurance: AssuranceVerified}, address(addrPort(1).Addr()), address(addrPort(2).Addr())} {
		for _, backend := range []string{"dc1", "dc2"} {
			m.checkSessionsOf(t, m.scopeOf(backend), id)
		}
	}
}

func (m *machine) checkSessionsOf(t *rapid.T, scope string, id Identity) {
	var want []*modelSlot
	for _, s := range m.model.slots {
		if s.phase == phaseHeld && s.owner() == ownerIn(scope, id) {
			want = append(want, s)
		}
	}
	got := m.table.UserSessions(scope, id.Key(), 1000)
	if len(got) != len(want) {
		t.Fatalf("%v has %d sessions in %s, want %d", id, len(got), scope, len(want))
	}
	for i, s := range want {
		g := got[i]
		at := modelPlace{g.Backend, g.Endpoint}
		if at != s.assoc.place || g.Handle != s.handle || g.Opaque != s.opaque || g.Unanswered != s.lost || g.GroupID != s.assoc.id || g.Client != s.assoc.client || g.Age != m.model.now-s.since {
			t.Fatalf("%v session %d is %+v, want %+v", id, i, g, s)
		}
	}
}

// checkWaiters: a waiter is woken once, and none waits without a reason or
// for longer than WaitTimeout.
func (m *machine) checkWaiters(t *rapid.T) {
	for _, w := range m.all {
		if w.woken != w.expect || w.woken > 1 {
			t.Fatalf("woken %d times, want %d: %+v", w.woken, w.expect, w)
		}
	}
	for _, w := range m.model.waiters {
		if user := w.owner(); w.waiting && m.model.claims(user)+m.model.unresolvedClaims(user, w.conn.client) == 0 {
			t.Fatalf("waits for nothing: %+v", w)
		}
		if w.waiting && m.model.timedOut(w) {
			t.Fatalf("waits for too long: %+v", w)
		}
	}
}

// checkStrangers: a connection is ended once, and only while strangers keep alive
// what is not theirs.
func (m *machine) checkStrangers(t *rapid.T) {
	for _, c := range m.model.conns {
		if c.ended != c.expect {
			t.Fatalf("ended %d times, want %d: %+v", c.ended, c.expect, c)
		}
	}
}

// checkRecords looks inside: no record stays that nothing refers to.
func (m *machine) checkRecords(t *rapid.T) {
	tab := m.table
	for _, u := range tab.users.all {
		if u.archived == u.inUse() || u.archived && u.binds == 0 {
			t.Fatalf("user %v: archived %v, usage %+v, binds %d", u.key, u.archived, u.usage(), u.binds)
		}
	}
	for _, c := range tab.clients.all {
		if c.archived != (c.held.n == 0) {
			t.Fatalf("client %v: archived %v with %d sessions", c.addr, c.archived, c.held.n)
		}
	}
	associations, current := 0, 0
	for _, d := range tab.controllers {
		associations += len(d.associations)
	}
	for _, a := range m.model.assocs {
		for _, c := range m.model.conns {
			if c.assoc == a && a.current {
				current++
				break
			}
		}
	}
	if tab.waiters.n != len(m.model.waiters) {
		t.Fatalf("%d waiters, want %d", tab.waiters.n, len(m.model.waiters))
	}
	if associations != current || len(tab.wakes) != 0 {
		t.Fatalf("%d associations, want %d; %d wakes", associations, current, len(tab.wakes))
	}
}
