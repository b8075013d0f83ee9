package session

import (
	"sync/atomic"
	"time"
)

// state is where a slot is in its life; doc.go has the table.
type state uint8

const (
	stateReleased state = iota
	stateClaimed        // reserved, provisional: the user is a claim, and others wait for it
	stateStale          // reserved, provisional, unanswered for ClaimTimeout
	stateReserved       // reserved, proven
	stateHeld           // a live session
)

// Slot is one session of a user's quota: a reservation until the domain
// controller has answered the NspiBind, then the session that it granted. Its
// methods do nothing in a state that they do not apply to, and on a nil Slot, as
// the response to an unknown call has. They never act on another slot, however
// late they are called.
type Slot struct {
	user   *user        // never changes
	client *client      // while held
	conn   *Conn        // while reserved
	assoc  *association // while held

	userLinks   links[Slot] // user.claims, then user.held
	clientLinks links[Slot] // client.held
	ownerLinks  links[Slot] // conn.reserved, then the association's sessions

	since      time.Duration // of the table's clock: when reserved, then when granted
	used       atomic.Int64  // of the table's clock: last use, or notLive
	index      int32         // in table.held
	handle     Handle        // never changes once held
	opaque     bool          // handle is unknown
	unanswered bool          // opaque, and perhaps not granted: the connection was lost before the answer
	state      state
	caller     uint32 // of the request; 0: not known
}

type (
	byUser   struct{}
	byClient struct{}
	byOwner  struct{}
)

func (byUser) of(s *Slot) *links[Slot]   { return &s.userLinks }
func (byClient) of(s *Slot) *links[Slot] { return &s.clientLinks }
func (byOwner) of(s *Slot) *links[Slot]  { return &s.ownerLinks }

// Commit records that the domain controller has granted the session: Success and
// handle h. A NULL handle grants nothing and releases the reservation. If h is
// the handle of a live session of the association, the domain controller no
// longer has that one: the new session replaces it, and it is counted as lost by
// the server. A session that was granted proves the claim of a provisional slot.
func (s *Slot) Commit(h Handle) {
	if h.IsZero() {
		s.Release()
		return
	}
	if s == nil {
		return
	}
	t := s.user.table
	t.mu.Lock()
	defer t.unlock()
	if !s.isReserved() {
		return
	}
	a := s.conn.association()
	if old := a.find(h); old != nil {
		t.end(old)
		t.counts.LostByServer++
	}
	s.handle = h
	t.hold(s, a)
}

// CommitOpaque is Commit for a session whose handle cannot be read.
func (s *Slot) CommitOpaque() {
	if s == nil {
		return
	}
	t := s.user.table
	t.mu.Lock()
	defer t.unlock()
	if !s.isReserved() {
		return
	}
	s.opaque = true
	t.hold(s, s.conn.association())
}

// Prove records that the domain controller has accepted the claimed name: a
// provisional reservation becomes a proven one.
func (s *Slot) Prove() {
	if s == nil {
		return
	}
	t := s.user.table
	t.mu.Lock()
	defer t.unlock()
	if s.state != stateClaimed && s.state != stateStale {
		return
	}
	c := s.conn
	t.unreserve(s)
	t.reserve(s, c, stateReserved)
	t.settle(s.user)
}

// Release gives the reservation back, because the domain controller has refused
// the bind or answered with a fault. It does not release a held slot: sessions end
// with [Conn.Unbound] or with their association.
func (s *Slot) Release() {
	if s == nil {
		return
	}
	t := s.user.table
	t.mu.Lock()
	defer t.unlock()
	if s.isReserved() {
		t.drop(s)
	}
}

// isReserved reports whether s is a reservation.
func (s *Slot) isReserved() bool {
	return s.state == stateClaimed || s.state == stateStale || s.state == stateReserved
}

// association returns the association that c's sessions belong to. If a session
// is granted before any bind_ack, that is the one that c has asked to join, or one
// that no other connection can join.
func (c *Conn) association() *association {
	if c.assoc == nil {
		c.enter(c.newAssociation(0))
	}
	c.joined = true
	return c.assoc
}
