package session

import "time"

// ClaimTimeout is how long an unanswered request under an unproven name makes
// others of that name wait. A domain controller answers within milliseconds; a
// claim that is unanswered after five seconds may be one of somebody who holds
// the answer back (by not reading it) to keep the user waiting. From then on
// others go ahead as if it were not there, at the risk that the limit is
// exceeded by it if it turns out to be true. Requests from the address that the
// claim came from do not: nobody gains by leaving answers unread.
const ClaimTimeout = 5 * time.Second

// waiter is a request that was answered with Wait. There is at most one per
// connection, which bounds them.
type waiter struct {
	links   links[waiter] // of queue
	queue   *clientQueue  // nil once it is woken
	conn    *Conn
	user    *user
	request ReserveRequest
	slot    *Slot // reserved for it when it was woken; nil while it is queued
}

// The queues of a user. The proven are served first: they wait for the claims
// in flight alone, however many more claims arrive.
const (
	queueProven = iota
	queueClaims
)

func queueIndex(proven bool) int {
	if proven {
		return queueProven
	}
	return queueClaims
}

// waiting returns how many requests wait.
func (u *user) waiting() int { return u.queue[queueProven].n + u.queue[queueClaims].n }

// position returns how many waiting requests a new one is behind.
func (u *user) position(proven bool) int {
	if proven {
		return u.queue[queueProven].n
	}
	return u.waiting()
}

// enqueue makes r wait; first puts it before the others.
func (t *Table) enqueue(c *Conn, u *user, r ReserveRequest, first bool) {
	w := &waiter{conn: c, user: u, request: r}
	c.wait = w
	u.queue[queueIndex(r.Proven)].push(w, first)
	t.contended[u] = struct{}{}
	t.counts.Waiting++
}

// dequeue ends the wait of w.
func (t *Table) dequeue(w *waiter) {
	u := w.user
	u.queue[queueIndex(w.request.Proven)].remove(w)
	if u.waiting() == 0 {
		delete(t.contended, u)
	}
	t.counts.Waiting--
}

// admit wakes those whose wait is over, in their order. A slot is
// reserved for those that may have one, since another request could take it
// before they ask again. It is an ordinary reservation, but nothing was forwarded
// for it yet.
func (t *Table) admit(u *user) {
	for {
		w, outcome := u.nextWaiter()
		if w == nil {
			return
		}
		if outcome == Reserved {
			w.slot = t.take(w.conn, u, &w.request)
		} else {
			w.conn.wait = nil
		}
		u.queue[queueIndex(w.request.Proven)].rotate(w.queue)
		t.dequeue(w)
		t.wakes = append(t.wakes, w.request.Wake)
	}
}

// nextWaiter returns whose wait is over, and how; nil: nobody's. Those who wait
// for claims of their own address alone keep nobody else waiting.
func (u *user) nextWaiter() (*waiter, Outcome) {
	for i := range u.queue {
		q := &u.queue[i]
		for cq := q.clients.head; cq != nil; cq = q.clients.next(cq) {
			w := cq.waiters.head
			outcome := decide(w.request.Limit, u.proven(), u.claims.n)
			if outcome == Wait {
				return nil, Wait
			}
			if outcome == Refused || decide(w.request.Limit, u.proven(), u.claims.n+u.unresolvedClaims[cq.client]) == Reserved {
				return w, outcome
			}
		}
	}
	return nil, Wait
}

// takeReservedSlot ends c's wait because it asks again, and reports whether a
// slot was reserved for what it asks. That slot is free for the caller to take
// until the lock is released.
func (c *Conn) takeReservedSlot(key userKey) bool {
	w := c.wait
	if w == nil || w.slot == nil || w.user.key != key {
		c.stopWaiting()
		return false
	}
	c.wait = nil
	c.table.unreserve(w.slot)
	return true
}

// Withdraw tells that the request which was answered with Wait will not be made
// again: the caller has answered it in another way. It does nothing if there is
// none.
func (c *Conn) Withdraw() {
	c.table.mu.Lock()
	defer c.table.unlock()
	c.stopWaiting()
}

// stopWaiting withdraws c's waiting request, if any, and releases the slot
// that was reserved for it.
func (c *Conn) stopWaiting() {
	w, t := c.wait, c.table
	if w == nil {
		return
	}
	c.wait = nil
	if w.slot != nil {
		t.drop(w.slot)
		return
	}
	t.dequeue(w)
	t.settle(w.user)
}

// expireClaims makes claims stale that have gone unanswered for too long.
func (t *Table) expireClaims(u *user) {
	if u.claims.head == nil {
		return
	}
	now := t.clock()
	for s := u.claims.head; s != nil && now-s.since >= ClaimTimeout; s = u.claims.head {
		u.claims.remove(s)
		u.stale++
		u.addUnresolved(s.conn.addr, 1)
		s.state = stateStale
	}
}
