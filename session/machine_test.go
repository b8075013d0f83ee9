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
	scope string // of all connections; empty: each backend is one
	users *rapid.Generator[Identity]
	limit *rapid.Generator[int]
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
		users: drawUser,
		limit: drawLimit,
		clock: c,
		table: NewTable(Options{Now: c.now}),
		model: model{binds: map[string]int{}, unbinds: map[string]int{}, turns: map[modelClientQueue]int{}},
	}
}

var (
	drawUser    = rapid.SampledFrom([]Identity{account("anna"), account("ANNA"), account("bob"), {SID: "S-1-5-21-1", Assurance: AssuranceVerified}})
	drawLimit   = rapid.SampledFrom([]int{-1, 0, 1, 1, 2, 2, 3, 4})
	drawGroup   = rapid.Uint32Range(0, 3)
	drawHandle  = rapid.Map(rapid.ByteRange(0, 12), handle)
	drawPatient = rapid.SampledFrom([]bool{true, true, true, true, false})
	drawPlace   = rapid.SampledFrom(places)
)

// places has one endpoint on two backends: what one of them tells there is not
// for the other.
var places = []modelPlace{{"dc1", "10.0.0.1:6004"}, {"dc1", "10.0.0.1:6005"}, {"dc2", "10.0.0.1:6004"}}

// scopeOf returns where users of a backend are counted.
func (m *machine) scopeOf(backend string) string {
	if m.scope != "" {
		return m.scope
	}
	return backend
}

func (m *machine) conn(t *rapid.T) *modelConn {
	if len(m.model.conns) == 0 {
		t.Skip("no connection yet")
	}
	recent := m.model.conns[max(0, len(m.model.conns)-6):]
	return rapid.SampledFrom(recent).Draw(t, "conn")
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
		"handleUnknown": m.handleUnknown,
		"withdraw":      m.withdraw,
		"joinRefused":   m.joinRefused,
		"vouch":         m.vouch,
		"close":         m.close,
		"advance":       m.advance,
		"":              m.check,
	}
}

func (m *machine) open(t *rapid.T) {
	client := addrPort(rapid.ByteRange(1, 2).Draw(t, "client"))
	place := drawPlace.Draw(t, "place")
	scope := m.scopeOf(place.backend)
	m.opened(&modelConn{client: client.Addr(), scope: scope, place: place}, client)
}

func (m *machine) opened(c *modelConn, client netip.AddrPort) {
	c.real = m.table.Open(client, c.scope, c.place.backend, c.place.endpoint)
	c.real.EndWith(func() {
		m.table.Count() // would block if the lock were held
		c.ended++
	})
	m.model.conns = append(m.model.conns, c)
}

func (m *machine) vouch(t *rapid.T) {
	c := m.conn(t)
	c.real.Vouch()
	m.model.vouch(c)
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
	m.ask(t, m.conn(t), m.users.Draw(t, "user"), m.limit.Draw(t, "limit"),
		rapid.Bool().Draw(t, "proven"), drawPatient.Draw(t, "patient"))
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
	var w *modelWaiter // nil until Reserve has returned
	woken := 0
	wake := func() {
		w.woken++
		m.woken = append(m.woken, w)
	}
	r := ReserveRequest{User: user, Limit: limit, Proven: proven, Caller: modelCaller}
	if patient {
		r.Wake = func() {
			m.table.Count() // would block if the lock were held
			if w == nil {
				woken++
				return
			}
			wake()
		}
	}
	slot, usage, outcome := c.real.Reserve(r)
	want, wantUsage, wantOutcome := m.model.reserve(c, user, limit, proven, patient)
	if outcome != wantOutcome || usage != wantUsage || (slot != nil) != (outcome == Reserved) {
		t.Fatalf("Reserve(%v) = %v %+v %v, want %+v %v", r, slot, usage, outcome, wantUsage, wantOutcome)
	}
	if atLimit := limit >= 0 && usage.Proven() >= limit; !c.closed && atLimit != (outcome == Refused) {
		t.Fatalf("Reserve(%v) = %v at %+v: the usage does not explain it", r, outcome, usage)
	}
	if outcome != Wait && woken > 0 {
		t.Fatalf("woken though the outcome is %v", outcome)
	}
	switch outcome {
	case Reserved:
		want.real = slot
		m.slots = append(m.slots, want)
	case Wait:
		w = m.model.waiterOf(c)
		m.all = append(m.all, w)
		for range woken {
			wake()
		}
	}
}

func (m *machine) commit(t *rapid.T) {
	s, h := m.slot(t), drawHandle.Draw(t, "handle")
	s.real.Commit(h)
	m.model.commit(s, h, false)
}

// grant asks for a session and has it granted.
func (m *machine) grant(t *rapid.T) {
	n := len(m.slots)
	m.ask(t, m.conn(t), m.users.Draw(t, "user"), -1, true, true)
	if len(m.slots) > n {
		s, h := m.slots[n], drawHandle.Draw(t, "handle")
		s.real.Commit(h)
		m.model.commit(s, h, false)
	}
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
	c, user := m.conn(t), m.users.Draw(t, "user")
	if got, want := c.real.UnboundOpaque(user.Key()), m.model.unbind(m.model.opaqueSession(c, c.owner(user))); got != want {
		t.Fatalf("UnboundOpaque = %v, want %v", got, want)
	}
}

// modelCaller makes all requests of the model.
const modelCaller = 1

func (m *machine) handleUnknown(t *rapid.T) {
	c, h := m.conn(t), drawHandle.Draw(t, "handle")
	s := m.model.session(c, h)
	caller := rapid.Uint32Range(0, 2).Draw(t, "caller")
	if caller != modelCaller {
		s = nil
	}
	if got := c.real.HandleUnknown(h, caller); got != (s != nil) {
		t.Fatalf("HandleUnknown = %v", got)
	}
	if s != nil {
		m.model.free(s)
		m.model.total.LostByServer++
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
	d := time.Duration(rapid.OneOf(rapid.IntRange(1, 4000), rapid.IntRange(4000, 25000)).Draw(t, "ms")) * time.Millisecond
	m.clock.advance(d)
	m.model.now += d
	m.table.Expire()
	m.model.expire()
	m.model.endStrangers()
}

func TestRandomHistoriesAgreeWithTheModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newMachine()
		m.scope = rapid.SampledFrom([]string{"", "all"}).Draw(t, "scope")
		t.Repeat(m.actions())
		m.closeAll(t)
	})
}

// Few random histories have a request that waits. In these there are some
// connections from the beginning, which ask for one user with a low limit.
func TestRandomHistoriesOfOneUserAgreeWithTheModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newMachine()
		m.users = rapid.SampledFrom([]Identity{account("anna"), account("anna"), account("anna"), account("bob")})
		m.limit = rapid.SampledFrom([]int{1, 1, 1, 2, 2, 3})
		for range 6 {
			m.open(t)
		}
		t.Repeat(map[string]func(*rapid.T){
			"reserve":     m.reserve,
			"reserveMore": m.reserve,
			"reserveMost": m.reserve,
			"askAgain":    m.askAgain,
			"askSooner":   m.askAgain,
			"prove":       m.prove,
			"release":     m.release,
			"commit":      m.commit,
			"unbound":     m.unbound,
			"withdraw":    m.withdraw,
			"close":       m.close,
			"open":        m.open,
			"advance":     m.advance,
			"advanceMore": m.advance,
			"":            m.check,
		})
		m.closeAll(t)
	})
}

// Few random histories have an association of several connections with sessions.
func TestRandomHistoriesOfOneAssociationAgreeWithTheModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newMachine()
		m.users = rapid.SampledFrom([]Identity{account("anna"), account("anna"), account("bob"), address(addrPort(1).Addr())})
		m.limit = rapid.Just(-1)
		open := func(t *rapid.T) {
			c := &modelConn{client: addrPort(1).Addr(), scope: "dc1", place: places[0]}
			m.opened(c, addrPort(1))
			if rapid.Bool().Draw(t, "vouched") {
				c.real.Vouch()
				m.model.vouch(c)
			}
			id := uint32(7)
			if m.model.assoc(c.place, id) == nil {
				id = 0
			}
			if c.real.MayJoin(id) != nil || m.model.mayJoin(c, id) != nil || c.real.Join(7) != nil || m.model.join(c, 7) != nil {
				t.Fatal("it may not join")
			}
		}
		for range 3 {
			open(t)
		}
		t.Repeat(map[string]func(*rapid.T){
			"open":      open,
			"reserve":   m.reserve,
			"grant":     m.grant,
			"grantMore": m.grant,
			"unbound":   m.unbound,
			"vouch":     m.vouch,
			"close":     m.close,
			"advance":   m.advance,
			"":          m.check,
		})
		m.closeAll(t)
	})
}

// closeAll ends a history: nothing may be left behind.
func (m *machine) closeAll(t *rapid.T) {
	for _, c := range m.model.conns {
		c.real.Close()
		m.model.close(c)
	}
	m.check(t)
	left := m.table.Count()
	if left.Connections+left.Associations+left.Users+left.Clients+left.Sessions+left.Reserved+left.Provisional+left.Waiting != 0 {
		t.Fatalf("left behind: %+v", left)
	}
}
