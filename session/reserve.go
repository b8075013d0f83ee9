package session

import (
	"fmt"
	"net/netip"
)

// Outcome is the answer to [Conn.Reserve].
type Outcome uint8

// The outcomes.
const (
	// Reserved: forward the NspiBind, and call the slot's methods with its answer.
	Reserved Outcome = iota + 1
	// Refused: the user is at the limit.
	Refused
	// Wait: the user may or may not be at the limit, which depends on requests
	// in flight whose names are unproven. Wake will be called.
	Wait
)

// String returns the outcome as logs name it.
func (o Outcome) String() string {
	switch o {
	case Reserved:
		return "reserved"
	case Refused:
		return "refused"
	case Wait:
		return "wait"
	}
	return fmt.Sprintf("outcome(%d)", uint8(o))
}

// ReserveRequest asks for a slot.
type ReserveRequest struct {
	User  Identity
	Limit int // slots that the user may have in this scope; negative: unlimited
	// Proven says that the domain controller has accepted the user's name on
	// this connection, that a ticket proves it, or that there is no name, only
	// an address. Otherwise the name is a claim, and the reservation provisional.
	Proven bool
	// Caller is the security context under which the request was made, by the
	// number that [Conn.NewCaller] gave it; 0 where it is not known.
	Caller uint32
	// Wake is called once after the outcome Wait, as soon as the request can be
	// decided and after WaitTimeout at the latest, unless the connection is closed
	// or asks again before. It is called from any goroutine and without a lock,
	// perhaps before Reserve has returned or just after Close has. If it is nil, or the request
	// has waited for WaitTimeout, it does not wait: it is decided by what is
	// proven.
	Wake func()
}

// Usage counts the slots of one user in one scope.
type Usage struct {
	Held        int // live sessions
	Reserved    int // proven reservations
	Provisional int // reservations under a claimed name
}

// Proven returns the slots that count against the user whatever becomes of the
// claims: the ones that the limit is compared with.
func (u Usage) Proven() int { return u.Held + u.Reserved }

// Reserve checks the limit and takes a slot, in one step. The usage is that before
// this request. The slot is nil unless the outcome is Reserved. On a closed
// connection everything is refused.
//
// A connection waits for one request at a time, as a relay does that stops
// reading from its client: Reserve withdraws an earlier request that waits.
// After Wake the same request must be made again, or withdrawn ([Conn.Withdraw],
// Close), for a slot may be reserved for it.
func (c *Conn) Reserve(r ReserveRequest) (*Slot, Usage, Outcome) {
	t := c.table
	t.mu.Lock()
	defer t.unlock()
	if c.closed {
		return nil, Usage{}, Refused
	}
	c.placeAt(r.User.Network)
	key := c.keyOf(&r.User)
	first := c.resumeWait(key)
	u := c.userOf(key)
	used, outcome := c.check(u, &r, first)
	if outcome == Wait {
		t.enqueue(c, u, &r, first)
		t.settle(u)
		return nil, used, Wait
	}
	c.forgetWaiter()
	var s *Slot
	if outcome == Reserved {
		u, s = c.grant(u, key, &r)
	}
	if u != nil {
		t.settle(u)
	}
	return s, used, outcome
}

// grant takes a slot for r, and makes the record of its user if u is nil.
func (c *Conn) grant(u *user, key userKey, r *ReserveRequest) (*user, *Slot) {
	if u == nil {
		u = c.table.newUser(key, r.User)
	}
	if r.Proven {
		u.identity = r.User // a spelling that no domain controller has accepted must not stay on display
	}
	c.user = u
	s := c.table.take(c, u, r.Proven)
	s.caller = r.Caller
	return u, s
}

// placeAt notes the network that c's client is counted in, at the first request:
// claims that came from a place must be found there again.
func (c *Conn) placeAt(network netip.Prefix) {
	if c.network.IsValid() {
		return
	}
	c.network = netip.PrefixFrom(c.addr, c.addr.BitLen())
	if network.IsValid() {
		c.network = network.Masked()
	}
}

// place is the address of the network that c's client is counted in.
func (c *Conn) place() netip.Addr { return c.network.Addr() }

// keyOf returns the key of id. A connection mostly has one user, whose key is
// known already.
func (c *Conn) keyOf(id *Identity) userKey {
	if c.user != nil && c.user.identity.alike(id) {
		return c.user.key
	}
	return userKey{c.scope, id.Key()}
}

// userOf returns the record of key, or nil.
func (c *Conn) userOf(key userKey) *user {
	if c.user != nil && c.user.index >= 0 && c.user.key == key {
		return c.user
	}
	return c.table.users.byKey[key]
}

// check decides on r without taking anything. u may be nil; first means that a
// slot was reserved for r, so that it does not queue again behind the others.
func (c *Conn) check(u *user, r *ReserveRequest, first bool) (Usage, Outcome) {
	if u == nil {
		return Usage{}, decide(r.Limit, 0, 0)
	}
	c.table.expireClaims(u)
	if r.Wake == nil || c.wait != nil && c.wait.timedOut(c.table.clock()) {
		return u.usage(), decide(r.Limit, u.proven(), 0)
	}
	unresolved := u.claims.n + u.unresolvedClaims[c.place()]
	if !first {
		unresolved += u.position(r.Proven)
	}
	return u.usage(), decide(r.Limit, u.proven(), unresolved)
}

// decide compares a limit with the proven slots of a user, which count for certain,
// and with unresolved ones: claims, and requests that wait before this one. Proven
// slots alone refuse a request; unresolved ones make it wait.
func decide(limit, proven, unresolved int) Outcome {
	switch {
	case limit < 0:
		return Reserved
	case proven >= limit:
		return Refused
	case proven+unresolved >= limit:
		return Wait
	}
	return Reserved
}

// take gives u a slot on c.
func (t *Table) take(c *Conn, u *user, proven bool) *Slot {
	s := &Slot{user: u}
	s.used.Store(notLive)
	if proven {
		t.reserve(s, c, stateReserved)
	} else {
		t.reserve(s, c, stateClaimed)
	}
	return s
}
