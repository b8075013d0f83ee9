package session

import "time"

const (
	// ClaimTimeout is how long an unanswered request under an unproven name makes
	// requests from other addresses under that name wait. A domain controller
	// answers within milliseconds. A claim that is unanswered after five seconds
	// may come from a client that does not read the answer, to keep the user
	// waiting. From then on requests from other addresses are decided as if the
	// claim were not there; the limit is exceeded by it if the domain controller
	// accepts the name later. Requests from the address of the claim go on
	// waiting, up to WaitTimeout, so that a client gains little by leaving answers
	// unread.
	ClaimTimeout = 5 * time.Second

	// WaitTimeout is how long a request waits for claims, whatever their address.
	// Then it is decided by what is proven, as a request that cannot wait is. Its
	// connection stands still meanwhile, and MAPI clients wait tens of seconds for
	// a call (the binding's own time-out is 15 minutes, MS-RPCE 3.3.2.1.5). Twenty
	// seconds are four times ClaimTimeout: an answer that is only slow has come.
	WaitTimeout = 20 * time.Second
)

// waiter is a request that was answered with Wait. There is at most one for each
// connection, which bounds them. It exists until the request is answered
// otherwise or withdrawn, so that the time-out counts from the first answer.
// It has only what the decision needs: the caller keeps the request.
type waiter struct {
	links    links[waiter] // of queue.waiters
	ageLinks links[waiter] // of table.waiters
	queue    *clientQueue  // nil once it is woken
	conn     *Conn
	user     *user
	slot     *Slot         // reserved for it when it was woken
	since    time.Duration // of the table's clock: the first answer of Wait
	limit    int
	proven   bool
	wake     func()
}

// timedOut reports whether w has waited for as long as a request may.
func (w *waiter) timedOut(now time.Duration) bool { return now-w.since >= WaitTimeout }

// The queues of a user. Proven requests are served first, so that they wait only
// for the claims that were in flight before, however many more arrive.
const (
	queueProven = iota
	queueClaims
)

func (u *user) queueOf(proven bool) *queue {
	if proven {
		return &u.queues[queueProven]
	}
	return &u.queues[queueClaims]
}

// waiting returns how many requests wait.
func (u *user) waiting() int { return u.queues[queueProven].n + u.queues[queueClaims].n }

// position returns how many waiting requests are before a new one.
func (u *user) position(proven bool) int {
	if proven {
		return u.queues[queueProven].n
	}
	return u.waiting()
}

// enqueue makes the request r of c wait; first puts it before the others. If it
// has waited before, it keeps its waiter, and so the time since when it waits.
func (t *Table) enqueue(c *Conn, u *user, r *ReserveRequest, first bool) {
	w := c.wait
	if w == nil {
		w = &waiter{conn: c, since: t.clock()}
		c.wait = w
		t.waiters.push(w)
	}
	w.user, w.limit, w.proven, w.wake = u, r.Limit, r.Proven, r.Wake
	u.queueOf(w.proven).push(w, first)
	t.contended[u] = struct{}{}
	t.counts.Waiting++
}

// dequeue takes w out of its queue.
func (t *Table) dequeue(w *waiter) {
	u := w.user
	u.queueOf(w.proven).remove(w)
	if u.waiting() == 0 {
		delete(t.contended, u)
	}
	t.counts.Waiting--
}

// admit wakes the requests whose wait is over, in their order.
func (t *Table) admit(u *user) {
	for {
		w, outcome := u.nextWaiter()
		if w == nil {
			return
		}
		t.answer(w, outcome)
	}
}

// answer ends the wait of w, which is queued, because its request will have
// this outcome when it is made again. A slot is reserved for it if it may have
// one, since another request could take it meanwhile. It is an ordinary
// reservation, but nothing was forwarded for it yet.
func (t *Table) answer(w *waiter, outcome Outcome) {
	if outcome == Reserved {
		w.slot = t.take(w.conn, w.user, w.proven)
	}
	w.user.queueOf(w.proven).rotate(w.queue)
	t.dequeue(w)
	t.wakes = append(t.wakes, w.wake)
}

// nextWaiter returns the next request whose wait is over, and its outcome, or
// nil. A request that waits only for unresolved claims of its own address does
// not keep the others waiting.
func (u *user) nextWaiter() (*waiter, Outcome) {
	for i := range u.queues {
		q := &u.queues[i]
		for cq := q.clients.head; cq != nil; cq = q.clients.next(cq) {
			w := cq.waiters.head
			outcome := decide(w.limit, u.proven(), u.claims.n)
			if outcome == Wait {
				return nil, Wait
			}
			if outcome == Refused || decide(w.limit, u.proven(), u.claims.n+u.unresolvedClaims[cq.client]) == Reserved {
				return w, outcome
			}
		}
	}
	return nil, Wait
}

// resumeWait is called when c makes a request for key. If the same request has
// waited, its waiter leaves the queue; or, if a slot was reserved for it, this is
// free and reserved is true: the caller takes it before it releases the lock. A
// waiting request for another key is withdrawn.
func (c *Conn) resumeWait(key userKey) (reserved bool) {
	w := c.wait
	switch {
	case w == nil:
	case w.user.key != key:
		c.stopWaiting()
	case w.slot != nil:
		c.table.unreserve(w.slot)
		w.slot = nil
		return true
	case w.queue != nil:
		c.table.dequeue(w)
		c.table.settle(w.user)
	}
	return false
}

// Withdraw is called when the request which was answered with Wait will not be made
// again, because the caller has answered it in another way. It does nothing if
// there is none.
func (c *Conn) Withdraw() {
	c.table.mu.Lock()
	defer c.table.unlock()
	c.stopWaiting()
}

// stopWaiting withdraws c's waiting request, if any, and releases the slot
// that was reserved for it.
func (c *Conn) stopWaiting() {
	w, t := c.wait, c.table
	c.forgetWaiter()
	switch {
	case w == nil:
	case w.slot != nil:
		t.drop(w.slot)
	case w.queue != nil:
		t.dequeue(w)
		t.settle(w.user)
	}
}

// forgetWaiter removes c's waiter, if any, because its request is answered or
// withdrawn.
func (c *Conn) forgetWaiter() {
	if c.wait != nil {
		c.table.waiters.remove(c.wait)
		c.wait = nil
	}
}

// expireWaits wakes the requests that have waited for WaitTimeout. They are
// decided by what is proven, the oldest first.
func (t *Table) expireWaits() {
	now := t.clock()
	for w := t.waiters.head; w != nil && w.timedOut(now); w = t.waiters.next(w) {
		if w.queue == nil {
			continue // woken, but not asked again yet
		}
		t.answer(w, decide(w.limit, w.user.proven(), 0))
		t.settle(w.user)
	}
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
		u.addUnresolved(s.conn.place(), 1)
		s.state = stateStale
	}
}
