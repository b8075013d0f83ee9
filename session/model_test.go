package session

import (
	"net/netip"
	"slices"
	"time"
)

// model is the table as one would explain it: no indexes, no counters, every
// question answered by looking at everything. It is what Table is tested against.
type model struct {
	now     time.Duration
	conns   []*modelConn
	assocs  []*modelAssoc // current and superseded ones with connections
	slots   []*modelSlot  // in order of reservation, then moved to the end when granted
	waiters []*modelWaiter
	turns   map[modelClientQueue]int // clients with waiters: the lowest is next
	turn    int
	binds   map[string]int // by user and by client
	unbinds map[string]int
	total   Counts
}

// modelPlace is where a connection goes to. Ids of associations are of the whole.
type modelPlace struct{ backend, endpoint string }

type modelConn struct {
	real   *Conn
	client netip.Addr
	scope  string
	place  modelPlace
	asked  uint32
	joined bool
	closed bool
	assoc  *modelAssoc

	vouched bool // a user was accepted on it
	ended   int  // how often it was ended as a stranger's
	expect  int  // by the model
}

// owner names whom a session of id on c is charged to.
func (c *modelConn) owner(id Identity) string { return ownerIn(c.scope, id) }

func ownerIn(scope string, id Identity) string { return scope + " " + id.Key() }

type modelAssoc struct {
	place   modelPlace
	id      uint32
	client  netip.Addr
	current bool // has the right to its id

	left  bool          // strangers alone keep sessions of users alive
	since time.Duration // then: since when
}

type phase int

const (
	phaseClaim phase = iota
	phaseProven
	phaseHeld
	phaseGone
)

type modelSlot struct {
	real   *Slot // nil: reserved for a waiter
	conn   *modelConn
	scope  string
	user   Identity
	phase  phase
	since  time.Duration
	assoc  *modelAssoc
	handle Handle
	opaque bool

	lost    bool   // its connection was lost before the answer
	claimed string // the user under whose name it was asked for, if lost and not proven
}

// owner names whom s is charged to.
func (s *modelSlot) owner() string { return ownerIn(s.scope, s.user) }

// backend returns where s is or is asked for.
func (s *modelSlot) backend() string {
	if s.assoc != nil {
		return s.assoc.place.backend
	}
	return s.conn.place.backend
}

// modelClientQueue is the requests that wait from one address.
type modelClientQueue struct {
	user   string
	proven bool
	client netip.Addr
}

func (w *modelWaiter) clientQueue() modelClientQueue {
	return modelClientQueue{w.owner(), w.proven, w.conn.client}
}

// owner names whom w asks for.
func (w *modelWaiter) owner() string { return w.conn.owner(w.user) }

type modelWaiter struct {
	conn    *modelConn
	user    Identity
	limit   int
	proven  bool
	woken   int // by the real table
	expect  int // by the model
	slot    *modelSlot
	waiting bool // still queued
	since   time.Duration
	age     int // in order of the first answer of Wait
}

// timedOut reports whether w has waited for as long as a request may.
func (m *model) timedOut(w *modelWaiter) bool { return m.now-w.since >= WaitTimeout }

func (m *model) userSlots(user string, p phase) (n int) {
	for _, s := range m.slots {
		if s.owner() == user && s.phase == p {
			n++
		}
	}
	return n
}

// claims returns the claims of user that others wait for.
func (m *model) claims(user string) (n int) {
	for _, s := range m.slots {
		if s.owner() == user && s.phase == phaseClaim && m.now-s.since < ClaimTimeout {
			n++
		}
	}
	return n
}

// unresolvedClaims returns the claims of user that requests from client alone wait for.
func (m *model) unresolvedClaims(user string, client netip.Addr) (n int) {
	for _, s := range m.slots {
		switch {
		case s.phase == phaseClaim && s.owner() == user && s.conn.client == client && m.now-s.since >= ClaimTimeout:
			n++
		case s.phase == phaseHeld && s.claimed == user && s.assoc.client == client:
			n++
		}
	}
	return n
}

func (m *model) usage(user string) Usage {
	return Usage{m.userSlots(user, phaseHeld), m.userSlots(user, phaseProven), m.userSlots(user, phaseClaim)}
}

// outcome is the rule of doc.go, in its words.
func (m *model) outcome(user string, limit, unresolved int, patient bool) Outcome {
	proven := m.userSlots(user, phaseHeld) + m.userSlots(user, phaseProven)
	switch {
	case limit < 0:
		return Reserved
	case proven >= limit:
		return Refused
	case patient && proven+m.claims(user)+unresolved >= limit:
		return Wait
	}
	return Reserved
}

func (m *model) reserve(c *modelConn, id Identity, limit int, proven, patient bool) (*modelSlot, Usage, Outcome) {
	if c.closed {
		return nil, Usage{}, Refused
	}
	user, first := c.owner(id), false
	m.turn++
	next := &modelWaiter{conn: c, user: id, limit: limit, proven: proven, waiting: true, since: m.now, age: m.turn}
	if w := m.waiterOf(c); w != nil {
		first = w.slot != nil && w.owner() == user
		if w.owner() == user {
			next.since, next.age = w.since, w.age
		}
		m.withdraw(w)
		if !first {
			m.settle()
		}
	}
	before := 0
	for _, w := range m.waiters {
		if !first && w.waiting && w.owner() == user && (w.proven || !proven) {
			before++
		}
	}
	patient = patient && !m.timedOut(next)
	used, out := m.usage(user), m.outcome(user, limit, before+m.unresolvedClaims(user, c.client), patient)
	switch out {
	case Reserved:
		s := m.take(c, id, proven)
		m.settle()
		return s, used, out
	case Wait:
		switch {
		case first:
			m.turns[next.clientQueue()] = -m.turn
		case m.head(next.clientQueue()) == nil:
			m.turns[next.clientQueue()] = m.turn
		}
		if first {
			m.waiters = slices.Insert(m.waiters, 0, next)
		} else {
			m.waiters = append(m.waiters, next)
		}
	}
	m.settle()
	return nil, used, out
}

func (m *model) take(c *modelConn, id Identity, proven bool) *modelSlot {
	s := &modelSlot{conn: c, scope: c.scope, user: id, since: m.now}
	if proven {
		s.phase = phaseProven
	}
	m.slots = append(m.slots, s)
	return s
}

// waiterOf returns what c waits for or was woken to ask for again.
func (m *model) waiterOf(c *modelConn) *modelWaiter {
	for _, w := range m.waiters {
		if w.conn == c {
			return w
		}
	}
	return nil
}

func (m *model) withdraw(w *modelWaiter) {
	m.waiters = slices.DeleteFunc(m.waiters, func(o *modelWaiter) bool { return o == w })
	if w.slot != nil {
		m.free(w.slot)
	}
}

// settle lets in whom it can, the proven before the others.
func (m *model) settle() {
	for m.admitOne() {
	}
}

func (m *model) admitOne() bool {
	blocked := map[string]bool{}
	for _, proven := range []bool{true, false} {
		for _, w := range m.heads(proven) {
			user := w.owner()
			if blocked[user] {
				continue
			}
			outcome := m.outcome(user, w.limit, 0, true)
			switch {
			case outcome == Wait:
				blocked[user] = true
				continue
			case outcome == Reserved && m.outcome(user, w.limit, m.unresolvedClaims(user, w.conn.client), true) == Wait:
				continue
			}
			m.answer(w, outcome)
			return true
		}
	}
	return false
}

// answer wakes w, whose request will have that outcome.
func (m *model) answer(w *modelWaiter, outcome Outcome) {
	m.turn++
	m.turns[w.clientQueue()] = m.turn
	if outcome == Reserved {
		w.slot = m.take(w.conn, w.user, w.proven)
	}
	w.waiting = false
	w.expect++
}

// expire decides what has waited for too long by what is proven, the oldest
// first.
func (m *model) expire() {
	byAge := slices.SortedFunc(slices.Values(m.waiters), func(a, b *modelWaiter) int { return a.age - b.age })
	for _, w := range byAge {
		if w.waiting && m.timedOut(w) {
			m.answer(w, m.outcome(w.owner(), w.limit, 0, false))
			m.settle()
		}
	}
	m.settle()
}

// head returns the request of a client queue that has waited for longest, or nil.
func (m *model) head(l modelClientQueue) *modelWaiter {
	for _, w := range m.waiters {
		if w.waiting && w.clientQueue() == l {
			return w
		}
	}
	return nil
}

// heads returns the first request of every client queue in the order of their turns.
func (m *model) heads(proven bool) (heads []*modelWaiter) {
	for l := range m.turns {
		if w := m.head(l); w != nil && l.proven == proven {
			heads = append(heads, w)
		}
	}
	slices.SortFunc(heads, func(a, b *modelWaiter) int { return m.turns[a.clientQueue()] - m.turns[b.clientQueue()] })
	return heads
}

func (m *model) free(s *modelSlot) {
	s.phase = phaseGone
	m.slots = slices.DeleteFunc(m.slots, func(o *modelSlot) bool { return o == s })
}

func (m *model) commit(s *modelSlot, h Handle, opaque bool) {
	if s.phase != phaseClaim && s.phase != phaseProven {
		return
	}
	if !opaque && h.IsZero() {
		m.free(s)
		m.settle()
		return
	}
	c := s.conn
	if c.assoc == nil {
		c.assoc = m.newAssoc(c, 0)
	}
	c.joined = true
	if old := m.session(c, h); old != nil && !opaque {
		m.free(old)
		m.total.LostByServer++
		m.settle()
	}
	m.free(s)
	s.phase, s.assoc, s.handle, s.opaque, s.since = phaseHeld, c.assoc, h, opaque, m.now
	m.slots = append(m.slots, s)
	m.total.Binds++
	m.binds[s.owner()]++
	m.binds[c.client.String()]++
	m.settle()
}

// session returns the session that h is in c's association.
func (m *model) session(c *modelConn, h Handle) *modelSlot {
	for _, s := range m.slots {
		if s.phase == phaseHeld && c.joined && s.assoc == c.assoc && !s.opaque && s.handle == h {
			return s
		}
	}
	return nil
}

func (m *model) opaqueSession(c *modelConn, user string) *modelSlot {
	for _, s := range m.slots {
		if !s.lost && s.phase == phaseHeld && c.joined && s.assoc == c.assoc && s.opaque && s.owner() == user {
			return s
		}
	}
	return nil
}

func (m *model) unbind(s *modelSlot) bool {
	if s == nil {
		return false
	}
	m.free(s)
	m.total.Unbinds++
	m.unbinds[s.owner()]++
	m.unbinds[s.assoc.client.String()]++
	m.settle()
	return true
}
