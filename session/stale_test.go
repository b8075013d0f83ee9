package session

import "testing"

func TestStaleClaimCountsAgainstItsOwnAddress(t *testing.T) {
	table, clock := newTable()
	leaves := joined(t, table, 1, 0, 7) // its answer unread
	s := mustReserve(t, leaves, claim(1, nil))
	same, other := joined(t, table, 1, 0, 8), joined(t, table, 2, 0, 9)
	var mine, theirs wakes
	expectOutcome(t, same, claim(1, mine.wake), Wait)
	expectOutcome(t, other, claim(1, theirs.wake), Wait)
	clock.advance(ClaimTimeout)
	table.Expire()
	mine.expect(t, 0)
	theirs.expect(t, 1)
	other.Close()
	mine.expect(t, 0)
	s.Commit(handle(1))
	mine.expect(t, 1)
	expectOutcome(t, same, claim(1, mine.wake), Refused)
}

func TestStaleClaimLetsItsAddressGoOnceItIsOver(t *testing.T) {
	for name, end := range map[string]func(*Conn, *Slot){
		"refused":         func(_ *Conn, s *Slot) { s.Release() },
		"connection lost": func(c *Conn, _ *Slot) { c.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			table, clock := newTable()
			c, same := joined(t, table, 1, 0, 7), joined(t, table, 1, 0, 8)
			s := mustReserve(t, c, claim(1, nil))
			clock.advance(ClaimTimeout)
			var w wakes
			expectOutcome(t, same, claim(1, w.wake), Wait)
			end(c, s)
			w.expect(t, 1)
			mustReserve(t, same, claim(1, w.wake))
			if c.user.unresolvedClaims[addrPort(1).Addr()] != 0 {
				t.Fatalf("%v", c.user.unresolvedClaims)
			}
		})
	}
}

func TestAddressesTakeTurns(t *testing.T) {
	x := contend(t, 50) // all of one address
	victim := joined(t, x.table, 3, 0, 8)
	expectOutcome(t, victim, x.request(99), Wait)
	x.claim.Release()
	x.expectWoken(t, 0)
	mustReserve(t, x.waiters[0], x.request(0)).Release()
	x.expectWoken(t, 0, 99)
	mustReserve(t, victim, x.request(99)).Release()
	x.expectWoken(t, 0, 99, 1)
}

func TestProvenRequestsOfAnAddressThatWaitsForItselfKeepNobodyWaiting(t *testing.T) {
	table, clock := newTable()
	c := joined(t, table, 1, 0, 7)
	mustReserve(t, c, claim(1, nil))
	clock.advance(ClaimTimeout)
	var mine, theirs wakes
	own := proven(1)
	own.Wake = mine.wake
	expectOutcome(t, joined(t, table, 1, 0, 8), own, Wait)
	other := joined(t, table, 2, 0, 9)
	expectOutcome(t, other, claim(1, theirs.wake), Wait) // behind it,
	theirs.expect(t, 1)                                  // but not for long
	mustReserve(t, other, claim(1, theirs.wake))
	mine.expect(t, 0)
}
