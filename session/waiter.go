package session

import "time"

// ClaimPatience is how long an unanswered request under an unproven name makes
// others of that name wait. A domain controller answers within milliseconds; a
// claim that is unanswered after five seconds may be one of somebody who holds
// the answer back (by not reading it) to keep the user waiting. From then on
// others go ahead as if it were not there, at the risk that the limit is
// exceeded by it if it turns out to be true. Requests from the address that the
// claim came from do not: nobody gains by leaving answers unread.
const ClaimPatience = 5 * time.Second

// waiter is a request that was answered with Wait. There is at most one per
// connection, which bounds them.
type waiter struct {
	links   links[waiter] // of its lane
	lane    *lane         // while it is queued
	conn    *Conn
	user    *user
	request ReserveRequest
	place   *Slot // kept for it once it is woken; nil while it is queued
}

// The queues of a user. The proven are served first: they wait for the claims
// in flight alone, however many more claims arrive.
const (
	queueProven = iota
	queueClaims
)

func queueOf(proven bool) int {
	if proven {
		return queueProven
	}
	return queueClaims
}

// waiting returns how many requests wait.
func (u *user) waiting() int { return u.queue[queueProven].n + u.queue[queueClaims].n }

// ahead returns how many waiting requests a new one is behind.
func (u *user) ahead(proven bool) int {
	if proven {
		return u.queue[queueProven].n
	}
	return u.waiting()
}

// enqueue makes r wait; first puts it before the others.
func (t *Table) enqueue(c *Conn, u *user, r ReserveRequest, first bool) {
	w := &waiter{conn: c, user: u, request: r}
	c.wait = w
	u.queue[queueOf(r.Proven)].push(w, first)
	t.contended[u] = struct{}{}
	t.counts.Waiting++
}

// dequeue ends the wait of w.
func (t *Table) dequeue(w *waiter) {
	u := w.user
	u.queue[queueOf(w.request.Proven)].remove(w)
	if u.waiting() == 0 {
		delete(t.contended, u)
	}
	t.counts.Waiting--
}

// admit wakes those whose wait is over, in their order. A place is kept for
// those that have got one, since anybody might take it before they ask again;
// it is an ordinary reservation, but nothing was forwarded for it yet.
func (t *Table) admit(u *user) {
	for {
		w, outcome := u.nextWaiter()
		if w == nil {
			return
		}
		if outcome == Reserved {
			w.place = t.take(w.conn, u, &w.request)
		} else {
			w.conn.wait = nil
		}
		u.queue[queueOf(w.request.Proven)].pass(w.lane)
		t.dequeue(w)
		t.wakes = append(t.wakes, w.request.Wake)
	}
}

// nextWaiter returns whose wait is over, and how; nil: nobody's. Those who wait
// for claims of their own address alone keep nobody else waiting.
func (u *user) nextWaiter() (*waiter, Outcome) {
	for i := range u.queue {
		q := &u.queue[i]
		for l := q.lanes.head; l != nil; l = q.lanes.next(l) {
			w := l.waiters.head
			outcome := decide(w.request.Limit, u.proven(), u.claims.n)
			if outcome == Wait {
				return nil, Wait
			}
			if outcome == Refused || decide(w.request.Limit, u.proven(), u.claims.n+u.suspects[l.client]) == Reserved {
				return w, outcome
			}
		}
	}
	return nil, Wait
}

// takePlace ends c's wait because it asks again, and reports whether a place
// was kept for what it asks. The place is free for the caller to take until the
// lock is released.
func (c *Conn) takePlace(key userKey) bool {
	w := c.wait
	if w == nil || w.place == nil || w.user.key != key {
		c.stopWaiting()
		return false
	}
	c.wait = nil
	c.table.unreserve(w.place)
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

// stopWaiting withdraws c's waiting request, if any, and gives up the place
// that was kept for it.
func (c *Conn) stopWaiting() {
	w, t := c.wait, c.table
	if w == nil {
		return
	}
	c.wait = nil
	if w.place != nil {
		t.drop(w.place)
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
	for s := u.claims.head; s != nil && now-s.since >= ClaimPatience; s = u.claims.head {
		u.claims.remove(s)
		u.stale++
		u.suspect(s.conn.addr, 1)
		s.state = stateStale
	}
}
