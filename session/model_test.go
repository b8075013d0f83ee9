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
	turns   map[modelLane]int // lanes with waiters: the lowest is next
	turn    int
	binds   map[string]int // by user and by client
	unbinds map[string]int
	total   Counts
}

type modelConn struct {
	real     *Conn
	client   netip.Addr
	endpoint string
	asked    uint32
	joined   bool
	closed   bool
	assoc    *modelAssoc
}

type modelAssoc struct {
	endpoint string
	id       uint32
	client   netip.Addr
	current  bool // has the right to its id
}

type phase int

const (
	phaseClaim phase = iota
	phaseProven
	phaseHeld
	phaseGone
)

type modelSlot struct {
	real   *Slot // nil: a place kept for a waiter
	conn   *modelConn
	user   Identity
	phase  phase
	since  time.Duration
	assoc  *modelAssoc
	handle Handle
	opaque bool

	lost    bool   // its connection was lost before the answer
	claimed string // the user under whose name it was asked for, if lost and not proven
}

// modelLane is the requests that wait from one address.
type modelLane struct {
	user   string
	proven bool
	client netip.Addr
}

func (w *modelWaiter) lane() modelLane { return modelLane{w.user.Key(), w.proven, w.conn.client} }

type modelWaiter struct {
	conn    *modelConn
	user    Identity
	limit   int
	proven  bool
	woken   int // by the real table
	expect  int // by the model
	place   *modelSlot
	waiting bool // still queued
}

func (m *model) userSlots(user string, p phase) (n int) {
	for _, s := range m.slots {
		if s.user.Key() == user && s.phase == p {
			n++
		}
	}
	return n
}

// claims returns the claims of user that others wait for.
func (m *model) claims(user string) (n int) {
	for _, s := range m.slots {
		if s.user.Key() == user && s.phase == phaseClaim && m.now-s.since < ClaimPatience {
			n++
		}
	}
	return n
}

// suspects returns the claims of user that requests from client alone wait for.
func (m *model) suspects(user string, client netip.Addr) (n int) {
	for _, s := range m.slots {
		switch {
		case s.phase == phaseClaim && s.user.Key() == user && s.conn.client == client && m.now-s.since >= ClaimPatience:
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
func (m *model) outcome(user string, limit, unsure int, patient bool) Outcome {
	proven := m.userSlots(user, phaseHeld) + m.userSlots(user, phaseProven)
	switch {
	case limit < 0:
		return Reserved
	case proven >= limit:
		return Refused
	case patient && proven+m.claims(user)+unsure >= limit:
		return Wait
	}
	return Reserved
}

func (m *model) reserve(c *modelConn, id Identity, limit int, proven, patient bool) (*modelSlot, Usage, Outcome) {
	if c.closed {
		return nil, Usage{}, Refused
	}
	user, first := id.Key(), false
	if w := m.waiterOf(c); w != nil {
		first = w.place != nil && w.user.Key() == user
		m.withdraw(w)
		if !first {
			m.settle()
		}
	}
	ahead := 0
	for _, w := range m.waiters {
		if !first && w.waiting && w.user.Key() == user && (w.proven || !proven) {
			ahead++
		}
	}
	used, out := m.usage(user), m.outcome(user, limit, ahead+m.suspects(user, c.client), patient)
	switch out {
	case Reserved:
		s := m.take(c, id, proven)
		m.settle()
		return s, used, out
	case Wait:
		w := &modelWaiter{conn: c, user: id, limit: limit, proven: proven, waiting: true}
		m.turn++
		switch {
		case first:
			m.turns[w.lane()] = -m.turn
		case m.head(w.lane()) == nil:
			m.turns[w.lane()] = m.turn
		}
		if first {
			m.waiters = slices.Insert(m.waiters, 0, w)
		} else {
			m.waiters = append(m.waiters, w)
		}
	}
	m.settle()
	return nil, used, out
}

func (m *model) take(c *modelConn, id Identity, proven bool) *modelSlot {
	s := &modelSlot{conn: c, user: id, since: m.now}
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
	if w.place != nil {
		m.free(w.place)
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
			user := w.user.Key()
			if blocked[user] {
				continue
			}
			outcome := m.outcome(user, w.limit, 0, true)
			switch {
			case outcome == Wait:
				blocked[user] = true
				continue
			case outcome == Reserved && m.outcome(user, w.limit, m.suspects(user, w.conn.client), true) == Wait:
				continue
			}
			m.turn++
			m.turns[w.lane()] = m.turn
			switch outcome {
			case Reserved:
				w.place = m.take(w.conn, w.user, w.proven)
			case Refused:
				m.waiters = slices.DeleteFunc(m.waiters, func(o *modelWaiter) bool { return o == w })
			}
			w.waiting = false
			w.expect++
			return true
		}
	}
	return false
}

// head returns the request of a lane that has waited for longest, or nil.
func (m *model) head(l modelLane) *modelWaiter {
	for _, w := range m.waiters {
		if w.waiting && w.lane() == l {
			return w
		}
	}
	return nil
}

// heads returns the first request of every lane in the order of their turns.
func (m *model) heads(proven bool) (heads []*modelWaiter) {
	for l := range m.turns {
		if w := m.head(l); w != nil && l.proven == proven {
			heads = append(heads, w)
		}
	}
	slices.SortFunc(heads, func(a, b *modelWaiter) int { return m.turns[a.lane()] - m.turns[b.lane()] })
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
		m.total.Drift++
		m.settle()
	}
	m.free(s)
	s.phase, s.assoc, s.handle, s.opaque, s.since = phaseHeld, c.assoc, h, opaque, m.now
	m.slots = append(m.slots, s)
	m.total.Binds++
	m.binds[s.user.Key()]++
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
		if !s.lost && s.phase == phaseHeld && c.joined && s.assoc == c.assoc && s.opaque && s.user.Key() == user {
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
	m.unbinds[s.user.Key()]++
	m.unbinds[s.assoc.client.String()]++
	m.settle()
	return true
}

func (m *model) newAssoc(c *modelConn, id uint32) *modelAssoc {
	a := &modelAssoc{endpoint: c.endpoint, id: id, client: c.client, current: id != 0}
	m.assocs = append(m.assocs, a)
	return a
}

func (m *model) assoc(endpoint string, id uint32) *modelAssoc {
	for _, a := range m.assocs {
		if a.current && a.endpoint == endpoint && a.id == id {
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
	a := m.assoc(c.endpoint, id)
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
	c.assoc = a
	return nil
}

// sibling is the client's association of that id at another endpoint.
func (m *model) sibling(c *modelConn, id uint32) *modelAssoc {
	for _, a := range m.assocs {
		if a.current && a.id == id && a.client == c.client {
			return a
		}
	}
	return nil
}

func (m *model) join(c *modelConn, id uint32) error {
	if c.closed || c.joined {
		return m.mayJoin(c, id)
	}
	a := m.assoc(c.endpoint, id)
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
	c.assoc, c.joined = a, true
	return nil
}

func (m *model) leave(c *modelConn) {
	a := c.assoc
	c.assoc = nil
	if a == nil || m.hasConns(a) {
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
			m.lose(s, a, claim)
		}
	}
	m.settle()
}

// lose charges a to what may have been granted on a connection that is gone.
func (m *model) lose(s *modelSlot, a *modelAssoc, claim bool) {
	l := &modelSlot{user: s.user, phase: phaseHeld, since: m.now, assoc: a, opaque: true, lost: true}
	if claim {
		l.user, l.claimed = address(a.client), s.user.Key()
	}
	m.slots = append(m.slots, l)
	m.total.Binds++
	m.binds[l.user.Key()]++
	m.binds[a.client.String()]++
}

func (m *model) joinRefused(c *modelConn) {
	if !c.joined {
		m.leave(c)
	}
}
