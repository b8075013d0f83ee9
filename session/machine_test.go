package session

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// machine drives the table and the model through the same history.
type machine struct {
	clock *clock
	table *Table
	model model
	slots []*modelSlot // every slot ever handed out
	woken []*modelWaiter
	all   []*modelWaiter
}

func newMachine() *machine {
	c := newClock()
	return &machine{
		clock: c,
		table: NewTable(Options{Now: c.now}),
		model: model{binds: map[string]int{}, unbinds: map[string]int{}, turns: map[modelLane]int{}},
	}
}

var (
	drawUser   = rapid.SampledFrom([]Identity{account("anna"), account("ANNA"), account("bob"), {SID: "S-1-5-21-1", Assurance: AssuranceVerified}})
	drawLimit  = rapid.SampledFrom([]int{-1, 0, 1, 1, 2, 2, 3, 4})
	drawGroup  = rapid.Uint32Range(0, 3)
	drawHandle = rapid.Map(rapid.ByteRange(0, 12), handle)
)

func (m *machine) conn(t *rapid.T) *modelConn {
	if len(m.model.conns) == 0 {
		t.Skip("no connection yet")
	}
	return rapid.SampledFrom(m.model.conns).Draw(t, "conn")
}

func (m *machine) slot(t *rapid.T) *modelSlot {
	if len(m.slots) == 0 {
		t.Skip("no slot yet")
	}
	recent := m.slots[max(0, len(m.slots)-12):]
	return rapid.SampledFrom(recent).Draw(t, "slot")
}

func (m *machine) actions() map[string]func(*rapid.T) {
	return map[string]func(*rapid.T){
		"open":          m.open,
		"mayJoin":       m.mayJoin,
		"join":          m.join,
		"reserve":       m.reserve,
		"reserveMore":   m.reserve,
		"askAgain":      m.askAgain,
		"commit":        m.commit,
		"commitOpaque":  m.commitOpaque,
		"prove":         m.prove,
		"release":       m.release,
		"unbound":       m.unbound,
		"unboundOpaque": m.unboundOpaque,
		"disowned":      m.disowned,
		"withdraw":      m.withdraw,
		"joinRefused":   m.joinRefused,
		"close":         m.close,
		"advance":       m.advance,
		"":              m.check,
	}
}

func (m *machine) open(t *rapid.T) {
	client := addrPort(rapid.ByteRange(1, 2).Draw(t, "client"))
	endpoint := rapid.SampledFrom([]string{"10.0.0.1:6004", "10.0.0.1:6005"}).Draw(t, "endpoint")
	c := &modelConn{real: m.table.Open(client, "dc1", endpoint), client: client.Addr(), endpoint: endpoint}
	m.model.conns = append(m.model.conns, c)
}

func (m *machine) mayJoin(t *rapid.T) {
	c, id := m.conn(t), drawGroup.Draw(t, "group")
	if got, want := c.real.MayJoin(id), m.model.mayJoin(c, id); !errors.Is(got, want) {
		t.Fatalf("MayJoin(%d) = %v, want %v", id, got, want)
	}
}

func (m *machine) join(t *rapid.T) {
	c, id := m.conn(t), drawGroup.Draw(t, "group")
	if got, want := c.real.Join(id), m.model.join(c, id); !errors.Is(got, want) {
		t.Fatalf("Join(%d) = %v, want %v", id, got, want)
	}
}

func (m *machine) reserve(t *rapid.T) {
	m.ask(t, m.conn(t), drawUser.Draw(t, "user"), drawLimit.Draw(t, "limit"),
		rapid.Bool().Draw(t, "proven"), rapid.IntRange(0, 5).Draw(t, "patient") > 0)
}

// askAgain is what a caller does that was woken.
func (m *machine) askAgain(t *rapid.T) {
	if len(m.woken) == 0 {
		t.Skip("nobody woken")
	}
	w := m.woken[0]
	m.woken = m.woken[1:]
	m.ask(t, w.conn, w.user, w.limit, w.proven, true)
}

func (m *machine) ask(t *rapid.T, c *modelConn, user Identity, limit int, proven, patient bool) {
	var w *modelWaiter
	r := ReserveRequest{User: user, Limit: limit, Proven: proven}
	if patient {
		r.Wake = func() {
			w.woken++
			m.woken = append(m.woken, w)
			m.table.Count() // would block if the lock were held
		}
	}
	before := w
	slot, usage, outcome := c.real.Reserve(r)
	want, wantUsage, wantOutcome := m.model.reserve(c, user, limit, proven, patient)
	if outcome != wantOutcome || usage != wantUsage || (slot != nil) != (outcome == Reserved) {
		t.Fatalf("Reserve(%v) = %v %+v %v, want %+v %v", r, slot, usage, outcome, wantUsage, wantOutcome)
	}
	switch outcome {
	case Reserved:
		want.real = slot
		m.slots = append(m.slots, want)
	case Wait:
		w = m.model.waiterOf(c)
		if w == before {
			t.Fatalf("no waiter")
		}
		m.all = append(m.all, w)
	}
}

func (m *machine) commit(t *rapid.T) {
	s, h := m.slot(t), drawHandle.Draw(t, "handle")
	s.real.Commit(h)
	m.model.commit(s, h, false)
}

func (m *machine) commitOpaque(t *rapid.T) {
	s := m.slot(t)
	s.real.CommitOpaque()
	m.model.commit(s, Handle{}, true)
}

func (m *machine) prove(t *rapid.T) {
	s := m.slot(t)
	s.real.Prove()
	if s.phase == phaseClaim {
		s.phase = phaseProven
		m.model.settle()
	}
}

func (m *machine) release(t *rapid.T) {
	s := m.slot(t)
	s.real.Release()
	if s.phase != phaseHeld && s.phase != phaseGone {
		m.model.free(s)
		m.model.settle()
	}
}

func (m *machine) unbound(t *rapid.T) {
	c, h := m.conn(t), drawHandle.Draw(t, "handle")
	if got, want := c.real.Unbound(h), m.model.unbind(m.model.session(c, h)); got != want {
		t.Fatalf("Unbound = %v, want %v", got, want)
	}
}

func (m *machine) unboundOpaque(t *rapid.T) {
	c, key := m.conn(t), drawUser.Draw(t, "user").Key()
	if got, want := c.real.UnboundOpaque(key), m.model.unbind(m.model.opaqueSession(c, key)); got != want {
		t.Fatalf("UnboundOpaque = %v, want %v", got, want)
	}
}

func (m *machine) disowned(t *rapid.T) {
	c, h := m.conn(t), drawHandle.Draw(t, "handle")
	s := m.model.session(c, h)
	if got := c.real.Disowned(h); got != (s != nil) {
		t.Fatalf("Disowned = %v", got)
	}
	if s != nil {
		m.model.free(s)
		m.model.total.Drift++
		m.model.settle()
	}
}

func (m *machine) withdraw(t *rapid.T) {
	c := m.conn(t)
	c.real.Withdraw()
	if w := m.model.waiterOf(c); w != nil {
		m.model.withdraw(w)
		m.model.settle()
	}
}

func (m *machine) joinRefused(t *rapid.T) {
	c := m.conn(t)
	c.real.JoinRefused()
	m.model.joinRefused(c)
}

func (m *machine) close(t *rapid.T) {
	c := m.conn(t)
	c.real.Close()
	m.model.close(c)
}

func (m *machine) advance(t *rapid.T) {
	d := time.Duration(rapid.IntRange(1, 4000).Draw(t, "ms")) * time.Millisecond
	m.clock.advance(d)
	m.model.now += d
	m.table.Expire()
	m.model.settle()
}

// check compares everything that can be seen, and the invariants behind it.
func (m *machine) check(t *rapid.T) {
	m.checkCounts(t)
	m.checkUsers(t)
	m.checkSessions(t)
	m.checkWaiters(t)
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
		users[s.user.Key()] = true
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
			users[w.user.Key()] = true
		}
	}
	want.Users, want.Clients = len(users), len(clients)
	if got := m.table.Count(); got != want {
		t.Fatalf("Count\n got %+v\nwant %+v", got, want)
	}
	if want.Binds != want.Unbinds+want.RunDown+want.Drift+uint64(want.Sessions) {
		t.Fatalf("sessions do not add up: %+v", want)
	}
}

func (m *machine) checkUsers(t *rapid.T) {
	seen := map[string]bool{}
	for _, e := range m.table.Users() {
		seen[e.Key] = true
		if e.Usage != m.model.usage(e.Key) || int(e.Binds) != m.model.binds[e.Key] || int(e.Unbinds) != m.model.unbinds[e.Key] {
			t.Fatalf("user %+v, want %+v", e, m.model.usage(e.Key))
		}
	}
	for _, s := range m.model.slots {
		if !seen[s.user.Key()] {
			t.Fatalf("%v is not listed", s.user)
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
		var want []*modelSlot
		for _, s := range m.model.slots {
			if s.phase == phaseHeld && s.user.Key() == id.Key() {
				want = append(want, s)
			}
		}
		got := m.table.UserSessions("dc1", id.Key(), 1000)
		if len(got) != len(want) {
			t.Fatalf("%v has %d sessions, want %d", id, len(got), len(want))
		}
		for i, s := range want {
			g := got[i]
			if g.Handle != s.handle || g.Opaque != s.opaque || g.Unanswered != s.lost || g.GroupID != s.assoc.id || g.Client != s.assoc.client || g.Age != m.model.now-s.since {
				t.Fatalf("%v session %d is %+v, want %+v", id, i, g, s)
			}
		}
	}
}

// checkWaiters: who is woken is woken once, and nobody waits without a reason.
func (m *machine) checkWaiters(t *rapid.T) {
	for _, w := range m.all {
		if w.woken != w.expect || w.woken > 1 {
			t.Fatalf("woken %d times, want %d: %+v", w.woken, w.expect, w)
		}
	}
	for _, w := range m.model.waiters {
		if user := w.user.Key(); w.waiting && m.model.claims(user)+m.model.suspects(user, w.conn.client) == 0 {
			t.Fatalf("waits for nothing: %+v", w)
		}
	}
}

// checkRecords looks inside: no record stays that nothing refers to.
func (m *machine) checkRecords(t *rapid.T) {
	tab := m.table
	for _, u := range tab.users.all {
		if u.resting == u.hasSlots() || u.resting && u.binds == 0 {
			t.Fatalf("user %v: resting %v, usage %+v, binds %d", u.key, u.resting, u.usage(), u.binds)
		}
	}
	for _, c := range tab.clients.all {
		if c.resting != (c.held.n == 0) {
			t.Fatalf("client %v: resting %v with %d sessions", c.addr, c.resting, c.held.n)
		}
	}
	current := 0
	for _, a := range m.model.assocs {
		for _, c := range m.model.conns {
			if c.assoc == a && a.current {
				current++
				break
			}
		}
	}
	if len(tab.associations) != current || len(tab.wakes) != 0 {
		t.Fatalf("%d associations, want %d; %d wakes", len(tab.associations), current, len(tab.wakes))
	}
}

func TestRandomHistoriesAgreeWithTheModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newMachine()
		t.Repeat(m.actions())
		for _, c := range m.model.conns {
			c.real.Close()
			m.model.close(c)
		}
		m.check(t)
		left := m.table.Count()
		if left.Connections+left.Associations+left.Users+left.Clients+left.Sessions+left.Reserved+left.Provisional+left.Waiting != 0 {
			t.Fatalf("left behind: %+v", left)
		}
	})
}
