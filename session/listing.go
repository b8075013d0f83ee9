package session

import (
	"cmp"
	"net/netip"
	"slices"
	"time"
)

// Counts are numbers of the whole table.
type Counts struct {
	Connections  int
	Associations int
	Users        int // with a slot or a request that waits, or under whose name a bind was lost
	Clients      int // with a session
	Sessions     int // held slots
	Opaque       int // of Sessions: those whose handle is unknown
	Unanswered   int // of Opaque: those whose connection was lost before the answer
	Reserved     int // proven reservations
	Provisional  int // reservations under a claimed name
	Waiting      int // requests that wait

	// Since the table was made; Binds == Unbinds + RunDown + LostByServer + Sessions.
	Binds        uint64 // sessions granted
	Unbinds      uint64 // sessions ended by NspiUnbind
	RunDown      uint64 // sessions ended with their association
	LostByServer uint64 // sessions that the domain controller does not have any more, by its answers
}

// Count returns the numbers of this moment.
func (t *Table) Count() Counts {
	t.mu.Lock()
	defer t.unlock()
	n := t.counts
	n.Users, n.Clients, n.Sessions = t.users.active(), t.clients.active(), len(t.held)
	return n
}

// Entry is one user in one scope, or one client address.
type Entry struct {
	Scope   string        // Users only: what was counted together, a backend or several
	User    Identity      // Users only
	Key     string        // Users only: User.Key()
	Client  netip.Addr    // Clients only
	Usage                 // Clients: Held only
	Binds   uint64        // sessions granted since it is remembered
	Unbinds uint64        // of these: ended by NspiUnbind
	Age     time.Duration // of the oldest session; 0 without one
	Idle    time.Duration // of the oldest session; without one: since the last one ended
}

// Session is one live session.
type Session struct {
	Backend  string
	Endpoint string
	GroupID  uint32 // association id; 0: private to one connection
	User     Identity
	Client   netip.Addr
	Handle   Handle // zero if Opaque
	Opaque   bool   // the handle is unknown
	// Unanswered: the connection was lost before the answer. The domain
	// controller may or may not have the session; it ends with its association.
	Unanswered bool
	Age        time.Duration
	Idle       time.Duration
}

// listBatch is how many records are copied under one lock: some 50 µs.
const listBatch = 256

// Users lists the users that have slots and those of recent history (see
// [HistoryLimit]): the one with the oldest session first, those without a
// session last. Entries are exact each, but not all of the same moment.
func (t *Table) Users() []Entry {
	entries := collect(t, t.users.clone, t.userEntry)
	sortEntries(entries)
	return entries
}

// Clients lists the client addresses in the same way.
func (t *Table) Clients() []Entry {
	entries := collect(t, t.clients.clone, t.clientEntry)
	sortEntries(entries)
	return entries
}

// userEntry describes u. It returns false if u was forgotten meanwhile, or is
// only a name that was claimed on a connection that was lost.
func (t *Table) userEntry(u *user) (Entry, bool) {
	e := u.entry(t)
	e.Scope, e.User, e.Key, e.Usage = u.key.scope, u.identity, u.key.name, u.usage()
	return e, u.index >= 0 && (u.visible() || u.binds > 0)
}

// clientEntry describes c. It returns false if c was forgotten meanwhile.
func (t *Table) clientEntry(c *client) (Entry, bool) {
	e := c.entry(t)
	e.Client = c.addr
	return e, c.index >= 0
}

// Snapshot lists all sessions, oldest first. It needs about 200 bytes for each.
func (t *Table) Snapshot() []Session {
	clone := func() []*Slot { return slices.Clone(t.held) }
	sessions := collect(t, clone, func(s *Slot) (Session, bool) {
		if s.state != stateHeld {
			return Session{}, false // ended meanwhile
		}
		return s.session(t.clock()), true
	})
	slices.SortStableFunc(sessions, func(a, b Session) int { return cmp.Compare(b.Age, a.Age) })
	return sessions
}

// UserSessions lists the sessions of one user (see [Identity.Key]) in one scope,
// oldest first, at most limit.
func (t *Table) UserSessions(scope, key string, limit int) []Session {
	t.mu.Lock()
	defer t.unlock()
	u := t.users.byKey[userKey{scope, key}]
	if u == nil {
		return nil
	}
	return sessions(t, &u.held, limit)
}

// ClientSessions lists the sessions of one client address, oldest first, at
// most limit.
func (t *Table) ClientSessions(addr netip.Addr, limit int) []Session {
	t.mu.Lock()
	defer t.unlock()
	c := t.clients.byKey[addr.Unmap()]
	if c == nil {
		return nil
	}
	return sessions(t, &c.held, limit)
}

// collect describes the records that records returns, which is called under the
// lock. It takes the lock for a batch at a time, so that binds do not wait for a
// long list.
func collect[T, E any](t *Table, records func() []*T, copyOf func(*T) (E, bool)) []E {
	t.mu.Lock()
	all := records()
	t.unlock()
	list := make([]E, 0, len(all))
	for batch := range slices.Chunk(all, listBatch) {
		t.mu.Lock()
		for _, x := range batch {
			if e, ok := copyOf(x); ok {
				list = append(list, e)
			}
		}
		t.unlock()
	}
	return list
}

func sessions[L linker[Slot]](t *Table, held *list[Slot, L], limit int) []Session {
	now := t.clock()
	list := make([]Session, 0, max(0, min(limit, held.n)))
	for s := held.head; s != nil && len(list) < limit; s = held.next(s) {
		list = append(list, s.session(now))
	}
	return list
}

func (s *Slot) session(now time.Duration) Session {
	return Session{
		Backend:    s.assoc.controller.name,
		Endpoint:   s.assoc.key.endpoint,
		GroupID:    s.assoc.key.id,
		User:       s.user.identity,
		Client:     s.client.addr,
		Handle:     s.handle,
		Opaque:     s.opaque,
		Unanswered: s.unanswered,
		Age:        s.age(now),
		Idle:       s.idle(now),
	}
}

// age is how long s has been held, idle how long it has not been used. Neither is
// negative, even if the clock goes back.
func (s *Slot) age(now time.Duration) time.Duration  { return max(0, now-s.since) }
func (s *Slot) idle(now time.Duration) time.Duration { return max(0, now-time.Duration(s.used.Load())) }

// granted counts a new session.
func (n *tally[L]) granted(now time.Duration) {
	n.binds++
	n.active = now
}

// entry returns what users and clients have in common.
func (n *tally[L]) entry(t *Table) Entry {
	now := t.clock()
	e := Entry{Binds: n.binds, Unbinds: n.unbinds, Usage: Usage{Held: n.held.n}}
	if s := n.held.head; s != nil {
		e.Age, e.Idle = s.age(now), s.idle(now)
	} else if n.binds > 0 {
		e.Idle = max(0, now-n.active)
	}
	return e
}

// sortEntries sorts entries by the age of their oldest session, the oldest first.
// Those without a session follow, the one whose last session ended last first.
func sortEntries(entries []Entry) {
	slices.SortStableFunc(entries, func(a, b Entry) int {
		if a.Held == 0 && b.Held == 0 {
			return cmp.Compare(a.Idle, b.Idle)
		}
		return cmp.Compare(b.Age, a.Age)
	})
}
