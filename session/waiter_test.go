package session

import "testing"

// contention is a table in which one claim of anna is in flight, and others
// wait for it with a limit of 1.
type contention struct {
	table   *Table
	clock   *clock
	claim   *Slot
	waiters []*Conn
	woken   []int // in this order
}

func contend(t *testing.T, waiters int) *contention {
	x := &contention{}
	x.table, x.clock = newTable()
	x.claim = mustReserve(t, joined(t, x.table, 1, 0, 7), claim(1, nil))
	for n := range waiters {
		c := joined(t, x.table, 2, 0, 0)
		expectOutcome(t, c, x.request(n), Wait)
		x.waiters = append(x.waiters, c)
	}
	return x
}

func (x *contention) request(n int) ReserveRequest {
	return claim(1, func() { x.woken = append(x.woken, n) })
}

func (x *contention) expectWoken(t *testing.T, want ...int) {
	t.Helper()
	if len(x.woken) != len(want) {
		t.Fatalf("woken %v, want %v", x.woken, want)
	}
	for i, n := range want {
		if x.woken[i] != n {
			t.Fatalf("woken %v, want %v", x.woken, want)
		}
	}
}

func TestWaitersAreServedInOrder(t *testing.T) {
	x := contend(t, 4)
	x.claim.Release()
	for n, c := range x.waiters {
		x.expectWoken(t, []int{0, 1, 2, 3}[:n+1]...)
		mustReserve(t, c, x.request(n)).Release()
	}
}

func TestNobodyOvertakesAWokenWaiter(t *testing.T) {
	x := contend(t, 1)
	x.claim.Release()
	late := joined(t, x.table, 3, 0, 8)
	expectOutcome(t, late, claim(1, func() {}), Wait)
	mustReserve(t, x.waiters[0], x.request(0))
}

func TestAllWaitersAreRefusedOnceTheClaimHolds(t *testing.T) {
	x := contend(t, 3)
	x.claim.Commit(handle(1))
	x.expectWoken(t, 0, 1, 2)
	for n, c := range x.waiters {
		expectOutcome(t, c, x.request(n), Refused)
	}
}

// The slot of a waiter that has been woken, or still waits, must go to the
// next one however it ends.
func TestLostWaiterPassesItsSlotOn(t *testing.T) {
	leave := map[string]func(*Conn){
		"closed":              (*Conn).Close,
		"withdrawn":           (*Conn).Withdraw,
		"asks for another":    func(c *Conn) { c.Reserve(ReserveRequest{User: account("bob"), Limit: 1}) },
		"asks without a wait": func(c *Conn) { s, _, _ := c.Reserve(proven(1)); s.Release() },
	}
	for name, end := range leave {
		t.Run(name+" after it was woken", func(t *testing.T) {
			x := contend(t, 2)
			x.claim.Release()
			x.expectWoken(t, 0)
			end(x.waiters[0])
			x.expectWoken(t, 0, 1)
			mustReserve(t, x.waiters[1], x.request(1))
		})
		t.Run(name+" while it waits", func(t *testing.T) {
			x := contend(t, 2)
			end(x.waiters[0])
			x.claim.Release()
			x.expectWoken(t, 1)
			mustReserve(t, x.waiters[1], x.request(1))
		})
	}
}

func TestEndOfASessionWakes(t *testing.T) {
	table, _ := newTable()
	holder := joined(t, table, 1, 0, 7)
	session(t, holder, handle(1))
	mustReserve(t, holder, claim(2, nil))
	var w wakes
	waiter := joined(t, table, 2, 0, 8)
	expectOutcome(t, waiter, claim(2, w.wake), Wait)
	holder.Unbound(handle(1))
	w.expect(t, 1)
}

func TestAskingAgainUnwokenWaitsOnce(t *testing.T) {
	x := contend(t, 1)
	expectOutcome(t, x.waiters[0], x.request(5), Wait)
	if n := x.table.Count(); n.Waiting != 1 {
		t.Fatalf("%d wait", n.Waiting)
	}
	x.claim.Release()
	x.expectWoken(t, 5)
}

// The limit may be lowered between the wake and the second request.
func TestWokenWaiterThatMustWaitAgainStaysFirst(t *testing.T) {
	table, _ := newTable()
	claimant := joined(t, table, 1, 0, 7)
	one, two := mustReserve(t, claimant, claim(2, nil)), mustReserve(t, claimant, claim(2, nil))
	var first, second wakes
	a, b := joined(t, table, 2, 0, 0), joined(t, table, 2, 0, 0)
	expectOutcome(t, a, claim(2, first.wake), Wait)
	expectOutcome(t, b, claim(2, second.wake), Wait)
	one.Release()
	first.expect(t, 1)
	expectOutcome(t, a, claim(1, first.wake), Wait)
	second.expect(t, 0)
	two.Release()
	first.expect(t, 2)
	mustReserve(t, a, claim(2, first.wake)).Release()
	second.expect(t, 1)
}

func TestWokenWaiterThatIsRefusedPassesItsSlotOn(t *testing.T) {
	x := contend(t, 2)
	x.claim.Release()
	expectOutcome(t, x.waiters[0], claim(0, func() {}), Refused)
	x.expectWoken(t, 0, 1)
	mustReserve(t, x.waiters[1], x.request(1))
}

func TestRefusedWokenWaiterLeavesNoRecord(t *testing.T) {
	x := contend(t, 1)
	x.claim.Release()
	expectOutcome(t, x.waiters[0], claim(0, func() {}), Refused)
	if len(x.table.users.all) != 0 {
		t.Fatalf("%+v", x.table.Users())
	}
}

// Rules may give one user different limits on different networks.
func TestWaiterWithAHigherLimitIsAdmittedWhenTheOneBeforeItLeaves(t *testing.T) {
	x := contend(t, 1)
	higher := joined(t, x.table, 3, 0, 8)
	var w wakes
	expectOutcome(t, higher, claim(2, w.wake), Wait)
	x.waiters[0].Close()
	w.expect(t, 1)
	mustReserve(t, higher, claim(2, w.wake))
}

func TestProvenRequestIsNotBehindClaimsThatWait(t *testing.T) {
	x := contend(t, 2)
	c := joined(t, x.table, 3, 0, 8)
	request := proven(3)
	request.Wake = func() { t.Error("woken") }
	mustReserve(t, c, request)
}

func TestSlotOfAWaiterThatIsNeverTakenExpiresToo(t *testing.T) {
	x := contend(t, 1)
	x.waiters = append(x.waiters, joined(t, x.table, 3, 0, 0))
	expectOutcome(t, x.waiters[1], x.request(1), Wait)
	x.claim.Release()
	x.clock.advance(ClaimTimeout)
	x.table.Expire()
	x.expectWoken(t, 0, 1)
	s := mustReserve(t, x.waiters[1], x.request(1))
	expectOutcome(t, x.waiters[0], x.request(0), Wait)
	s.Release()
	x.expectWoken(t, 0, 1, 0)
	mustReserve(t, x.waiters[0], x.request(0))
}

func TestWakeMayCallBackIntoTheTable(t *testing.T) {
	x := contend(t, 0)
	c := joined(t, x.table, 2, 0, 8)
	var got *Slot
	var again ReserveRequest
	again = claim(1, func() { got = mustReserve(t, c, again) })
	expectOutcome(t, c, again, Wait)
	x.claim.Release()
	if got == nil {
		t.Fatal("not woken")
	}
}

func TestWaitersLeaveNothingBehind(t *testing.T) {
	x := contend(t, 3)
	x.claim.Release()
	for _, c := range x.waiters {
		c.Close()
	}
	if n := x.table.Count(); n.Users != 0 || n.Waiting != 0 || len(x.table.contended) != 0 || len(x.table.users.all) != 0 {
		t.Fatalf("%+v", n)
	}
}
