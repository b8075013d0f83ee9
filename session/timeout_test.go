package session

import (
	"testing"
	"time"
)

// unresolved is a table in which a claim of anna from client 1 is unanswered, and
// a request of hers from the same address waits for it with a limit of 1.
func unresolved(t *testing.T) (table *Table, clock *clock, claimed *Slot, waits *Conn, w *wakes) {
	table, clock = newTable()
	claimed = mustReserve(t, joined(t, table, 1, 0, 7), claim(1, nil))
	waits, w = joined(t, table, 1, 0, 8), &wakes{}
	expectOutcome(t, waits, claim(1, w.wake), Wait)
	return table, clock, claimed, waits, w
}

func TestRequestWaitsForClaimsOfItsOwnAddressNoLongerThanWaitTimeout(t *testing.T) {
	table, clock, claimed, waits, w := unresolved(t)
	clock.advance(WaitTimeout - 1)
	table.Expire()
	w.expect(t, 0)
	clock.advance(1)
	table.Expire()
	table.Expire()
	w.expect(t, 1)
	mustReserve(t, waits, claim(1, w.wake)).Commit(handle(1))
	claimed.Commit(handle(2)) // late, but granted: it counts
	expectHeld(t, table, 2)
}

func TestRequestWaitsForALostClaimNoLongerThanWaitTimeout(t *testing.T) {
	table, clock := newTable()
	stays, goes := shared(t, table)
	mustReserve(t, goes, claim(1, nil))
	goes.Close()
	var w wakes
	expectOutcome(t, stays, claim(1, w.wake), Wait)
	clock.advance(WaitTimeout)
	table.Expire()
	w.expect(t, 1)
	mustReserve(t, stays, claim(1, w.wake))
}

func TestRequestBehindClaimsOfManyAddressesIsDecidedAfterWaitTimeout(t *testing.T) {
	x := contend(t, 0)
	var victim wakes
	waits := joined(t, x.table, 200, 0, 8)
	for client := byte(2); client < 30; client++ { // each takes its turn, and leaves its answer unread
		c := joined(t, x.table, client, 0, 0)
		expectOutcome(t, c, x.request(int(client)), Wait)
	}
	expectOutcome(t, waits, claim(1, victim.wake), Wait)
	for range 4 {
		x.clock.advance(ClaimTimeout)
		x.table.Expire()
	}
	victim.expect(t, 1)
	mustReserve(t, waits, claim(1, victim.wake))
}

func TestProvenRequestsThatTimeOutKeepTheLimitTheOldestFirst(t *testing.T) {
	table, clock := newTable()
	mustReserve(t, joined(t, table, 1, 0, 7), claim(1, nil))
	var woken []string
	request := func(name string) ReserveRequest {
		r := proven(1)
		r.Wake = func() { woken = append(woken, name) }
		return r
	}
	first, second := joined(t, table, 1, 0, 8), joined(t, table, 1, 0, 9)
	expectOutcome(t, first, request("first"), Wait)
	clock.advance(time.Second)
	expectOutcome(t, second, request("second"), Wait)
	clock.advance(WaitTimeout)
	table.Expire()
	if len(woken) != 2 || woken[0] != "first" || woken[1] != "second" {
		t.Fatalf("woken: %v", woken)
	}
	expectOutcome(t, second, request("second"), Refused)
	mustReserve(t, first, request("first"))
}

// A request that is woken, and has to wait once more when it is made again, has
// waited since its first answer.
func TestWaitTimeoutCountsFromTheFirstAnswer(t *testing.T) {
	asks := map[string]func(*Table, *clock, *Slot, *wakes){
		"woken": func(_ *Table, _ *clock, claimed *Slot, w *wakes) { claimed.Release(); w.n = 0 },
		"not woken": func(*Table, *clock, *Slot, *wakes) {
		},
	}
	for name, before := range asks {
		t.Run(name, func(t *testing.T) {
			table, clock, claimed, waits, w := unresolved(t)
			clock.advance(WaitTimeout / 2)
			before(table, clock, claimed, w)
			other := joined(t, table, 1, 0, 9)
			mustReserve(t, other, claim(2, nil))
			expectOutcome(t, waits, claim(1, w.wake), Wait)
			clock.advance(WaitTimeout / 2)
			table.Expire()
			w.expect(t, 1)
			mustReserve(t, waits, claim(1, w.wake))
		})
	}
}

func TestNextRequestOfAConnectionWaitsAnew(t *testing.T) {
	ends := map[string]func(*Table, *Conn, *Slot, *wakes){
		"withdrawn": func(_ *Table, c *Conn, _ *Slot, _ *wakes) { c.Withdraw() },
		"another user": func(_ *Table, c *Conn, _ *Slot, _ *wakes) {
			s, _, _ := c.Reserve(ReserveRequest{User: account("bob"), Limit: 1})
			s.Release()
		},
		"answered": func(table *Table, c *Conn, _ *Slot, w *wakes) {
			s, _, _ := c.Reserve(claim(-1, w.wake))
			s.Release()
		},
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			table, clock, claimed, waits, w := unresolved(t)
			clock.advance(WaitTimeout)
			end(table, waits, claimed, w)
			w.n = 0
			expectOutcome(t, waits, claim(1, w.wake), Wait)
			table.Expire()
			w.expect(t, 0)
			clock.advance(WaitTimeout)
			table.Expire()
			w.expect(t, 1)
		})
	}
}

func TestTimedOutRequestsLeaveNothingBehind(t *testing.T) {
	table, clock, claimed, waits, w := unresolved(t)
	clock.advance(WaitTimeout)
	table.Expire()
	w.expect(t, 1)
	waits.Close()
	claimed.Release()
	if n := table.Count(); n.Users+n.Waiting+n.Provisional != 0 || table.waiters.n+len(table.contended)+len(table.users.all) != 0 {
		t.Fatalf("%+v", n)
	}
}
