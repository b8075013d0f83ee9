package session

import (
	"net/netip"
	"time"
)

// groupKey names an association of a backend: ids are unique per server process.
type groupKey struct {
	endpoint string
	id       uint32
}

// association is the set of connections that share context handles (MS-RPCE
// 3.3.1.4.1). It owns its sessions.
type association struct {
	controller  *controller
	key         groupKey // id 0: private to one connection
	client      netip.Addr
	conns       list[Conn, byMember] // live ones, with those whose bind is not answered yet
	vouched     int32                // connections whose user is known, see Conn.Vouch
	named       int32                // sessions of users who are known by name or SID
	nUnanswered int32                // length of unanswered
	used        bool                 // it has, or had, a session
	unseen      bool                 // it was there before its first connection here: others may keep it alive
	abandoned   time.Duration        // of the table's clock: since when strangers alone are left; with Table.abandoned
	held        list[Slot, byOwner]  // sessions with a known handle, oldest first
	byHandle    map[Handle]*Slot     // the same; nil while there are few
	opaque      []opaqueSessions     // sessions with an unreadable handle
	unanswered  *unansweredSession   // sessions that may or may not have been granted, newest first
}

// unansweredSession is a session whose NspiBind was in flight when its connection
// was lost. Its handle is not known to the client or the proxy, so that it ends
// with the association and never before.
type unansweredSession struct {
	slot    *Slot
	claimed *user      // the unproven name of the request; nil: it was proven, and is charged to its user
	place   netip.Addr // then: where the request came from
	next    *unansweredSession
}

// scanLimit is how many sessions an association has without an index by handle.
// Nearly every client has one or two, and a map would cost more than the session.
const scanLimit = 8

// opaqueSessions are the sessions of one user whose handles are unreadable.
// An association has one or two such users (one per security context), so they
// are searched in sequence.
type opaqueSessions struct {
	user *user
	held list[Slot, byOwner] // oldest first
}

// find returns the session of h, or nil.
func (a *association) find(h Handle) *Slot {
	if a.byHandle != nil {
		return a.byHandle[h]
	}
	for s := a.held.head; s != nil; s = a.held.next(s) {
		if s.handle == h {
			return s
		}
	}
	return nil
}

// anySession returns a session of a to run down, or nil.
func (a *association) anySession() *Slot {
	if a.held.head != nil {
		return a.held.head
	}
	if len(a.opaque) > 0 {
		return a.opaque[0].held.head
	}
	if a.unanswered != nil {
		return a.unanswered.slot
	}
	return nil
}

// add makes s one of the sessions of a. Its handle must be new.
func (a *association) add(s *Slot) {
	a.used = true
	if s.unanswered {
		a.unanswered = &unansweredSession{slot: s, next: a.unanswered}
		a.nUnanswered++
		return
	}
	if s.opaque {
		a.addOpaque(s)
		return
	}
	a.held.push(s)
	if a.byHandle != nil {
		a.byHandle[s.handle] = s
		return
	}
	if a.held.n <= scanLimit {
		return
	}
	a.byHandle = make(map[Handle]*Slot, 2*scanLimit)
	for s := a.held.head; s != nil; s = a.held.next(s) {
		a.byHandle[s.handle] = s
	}
}

// remove takes the session s out. An unanswered one must be the newest of its
// kind: they end together, newest first.
func (a *association) remove(s *Slot) {
	if s.unanswered {
		a.unanswered = a.unanswered.next
		a.nUnanswered--
		return
	}
	if s.opaque {
		a.removeOpaque(s)
		return
	}
	a.held.remove(s)
	if a.held.n == 0 {
		a.byHandle = nil
	}
	delete(a.byHandle, s.handle)
}

func (a *association) addOpaque(s *Slot) {
	i := a.opaqueOf(s.user.key.name)
	if i < 0 {
		i = len(a.opaque)
		a.opaque = append(a.opaque, opaqueSessions{user: s.user})
	}
	a.opaque[i].held.push(s)
}

func (a *association) removeOpaque(s *Slot) {
	i := a.opaqueOf(s.user.key.name)
	a.opaque[i].held.remove(s)
	if a.opaque[i].held.n > 0 {
		return
	}
	last := len(a.opaque) - 1
	a.opaque[i] = a.opaque[last]
	a.opaque[last] = opaqueSessions{}
	a.opaque = a.opaque[:last]
}

// opaqueOf returns the index of name's sessions in a.opaque, or -1.
func (a *association) opaqueOf(name string) int {
	for i := range a.opaque {
		if a.opaque[i].user.key.name == name {
			return i
		}
	}
	return -1
}
