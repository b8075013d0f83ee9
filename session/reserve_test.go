package session

import (
	"testing"
	"time"
)

func TestLimitIsDecidedByWhatIsProven(t *testing.T) {
	tests := []struct {
		name                      string
		limit, proven, unresolved int
		want                      Outcome
	}{
		{"below", 2, 1, 0, Reserved},
		{"at the limit", 2, 2, 0, Refused},
		{"above, after the limit was lowered", 2, 5, 0, Refused},
		{"none allowed", 0, 0, 0, Refused},
		{"unlimited", -1, 1000, 1000, Reserved},
		{"claims might reach it", 2, 1, 1, Wait},
		{"claims might exceed it", 2, 0, 9, Wait},
		{"claims leave room", 3, 1, 1, Reserved},
		{"claims make no difference", 2, 2, 9, Refused},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := decide(tt.limit, tt.proven, tt.unresolved); got != tt.want {
				t.Fatalf("%v, want %v", got, tt.want)
			}
		})
	}
}

func TestUsageIsThatBeforeTheRequest(t *testing.T) {
	table, _ := newTable()
	c := joined(t, table, 1, 0, 7)
	session(t, c, handle(1))
	mustReserve(t, c, proven(-1))
	mustReserve(t, c, claim(-1, nil))
	_, used, _ := c.Reserve(proven(2))
	if want := (Usage{Held: 1, Reserved: 1, Provisional: 1}); used != want {
		t.Fatalf("%+v, want %+v", used, want)
	}
}

func TestUsersAreCountedPerScope(t *testing.T) {
	for name, tc := range map[string]struct {
		scopes [2]string
		second Outcome // of the request on the other backend
	}{
		"per backend":      {[2]string{"dc1", "dc2"}, Reserved},
		"over both":        {[2]string{"all", "all"}, Refused},
		"over one of them": {[2]string{"dc2", "dc2"}, Refused}, // whatever the name of a scope is
	} {
		t.Run(name, func(t *testing.T) {
			table, _ := newTable()
			first := table.Open(addrPort(1), tc.scopes[0], "dc1", "10.0.0.1:6004")
			mustReserve(t, first, proven(1))
			expectOutcome(t, first, proven(1), Refused)
			second := table.Open(addrPort(2), tc.scopes[1], "dc2", "10.0.0.2:6004")
			expectOutcome(t, second, proven(1), tc.second)
		})
	}
}

func TestClaimsWaitForEachOtherAcrossTheBackendsOfAScope(t *testing.T) {
	table, _ := newTable()
	first := table.Open(addrPort(1), "all", "dc1", "10.0.0.1:6004")
	second := table.Open(addrPort(2), "all", "dc2", "10.0.0.2:6004")
	s := mustReserve(t, first, claim(1, nil))
	var woken wakes
	expectOutcome(t, second, claim(1, woken.wake), Wait)
	s.Release()
	woken.expect(t, 1)
	mustReserve(t, second, claim(1, woken.wake))
}

func TestSpellingsOfOneAccountShareAQuota(t *testing.T) {
	table, _ := newTable()
	c := joined(t, table, 1, 0, 7)
	mustReserve(t, c, ReserveRequest{User: account("Straße"), Limit: 1, Proven: true})
	expectOutcome(t, c, ReserveRequest{User: account("STRAẞE"), Limit: 1, Proven: true}, Refused)
}

func TestRefusalLeavesNoTrace(t *testing.T) {
	table, _ := newTable()
	c := joined(t, table, 1, 0, 7)
	expectOutcome(t, c, proven(0), Refused)
	mustReserve(t, c, claim(1, nil)).Release()
	if len(table.users.all) != 0 || len(table.Users()) != 0 {
		t.Fatalf("remembered: %+v", table.Users())
	}
}

func TestCloseReleasesReservations(t *testing.T) {
	table, _ := newTable()
	a, b := joined(t, table, 1, 0, 7), joined(t, table, 1, 0, 8)
	mustReserve(t, a, proven(2))
	mustReserve(t, a, claim(2, nil))
	expectOutcome(t, b, claim(2, func() {}), Wait)
	a.Close()
	mustReserve(t, b, proven(2))
}

func TestClaimsNeverGetAnybodyRefused(t *testing.T) {
	table, _ := newTable()
	attacker, victim := joined(t, table, 1, 0, 7), joined(t, table, 2, 0, 8)
	var w wakes
	for range 50 {
		mustReserve(t, attacker, claim(50, w.wake))
	}
	expectOutcome(t, victim, claim(50, w.wake), Wait)
	attacker.Close() // every logon has failed
	w.expect(t, 1)
	mustReserve(t, victim, claim(50, w.wake))
}

func TestProvenRequestIsServedBeforeFurtherClaims(t *testing.T) {
	table, _ := newTable()
	attacker := joined(t, table, 1, 0, 7)
	var theirs wakes
	inFlight := []*Slot{mustReserve(t, attacker, claim(2, nil)), mustReserve(t, attacker, claim(2, nil))}
	for range 5 {
		c := joined(t, table, 1, 0, 0)
		expectOutcome(t, c, claim(2, theirs.wake), Wait)
	}
	victim := joined(t, table, 2, 0, 8)
	var w wakes
	request := proven(2)
	request.Wake = w.wake
	expectOutcome(t, victim, request, Wait)
	inFlight[0].Release()
	w.expect(t, 1)
	theirs.expect(t, 0)
	mustReserve(t, victim, request)
}

func TestRequestThatCannotWaitIsDecidedByWhatIsProven(t *testing.T) {
	table, _ := newTable()
	a, b := joined(t, table, 1, 0, 7), joined(t, table, 2, 0, 8)
	mustReserve(t, a, claim(1, nil))
	expectOutcome(t, b, claim(1, nil), Reserved)
	mustReserve(t, b, proven(1))
	expectOutcome(t, a, proven(1), Refused)
}

func TestGrantProvesAClaim(t *testing.T) {
	for name, prove := range map[string]func(*Slot){
		"prove":         (*Slot).Prove,
		"commit":        func(s *Slot) { s.Commit(handle(1)) },
		"commit opaque": (*Slot).CommitOpaque,
	} {
		t.Run(name, func(t *testing.T) {
			table, _ := newTable()
			a, b := joined(t, table, 1, 0, 7), joined(t, table, 2, 0, 8)
			s := mustReserve(t, a, claim(1, nil))
			var w wakes
			expectOutcome(t, b, claim(1, w.wake), Wait)
			prove(s)
			w.expect(t, 1)
			expectOutcome(t, b, claim(1, w.wake), Refused)
		})
	}
}

func TestUnansweredClaimIsWaitedForNoLongerThanPatience(t *testing.T) {
	table, clock := newTable()
	attacker, victim := joined(t, table, 1, 0, 7), joined(t, table, 2, 0, 8)
	s := mustReserve(t, attacker, claim(1, nil))
	var w wakes
	expectOutcome(t, victim, claim(1, w.wake), Wait)
	clock.advance(ClaimTimeout - 1)
	table.Expire()
	w.expect(t, 0)
	clock.advance(1)
	table.Expire()
	table.Expire()
	w.expect(t, 1)
	own := mustReserve(t, victim, claim(1, w.wake))
	_, used, _ := victim.Reserve(proven(-1))
	if used.Provisional != 2 {
		t.Fatalf("%+v", used)
	}
	own.Commit(handle(1))
	s.Prove() // late, but true: counts from now on
	if n := table.Count(); n.Provisional != 0 || n.Reserved != 2 || n.Sessions != 1 {
		t.Fatalf("%+v", n)
	}
}

func TestClaimIsWaitedForNoLongerWithoutExpireToo(t *testing.T) {
	table, clock := newTable()
	c := joined(t, table, 1, 0, 7)
	mustReserve(t, c, claim(1, nil))
	clock.advance(time.Hour)
	other := joined(t, table, 2, 0, 8)
	mustReserve(t, other, claim(1, func() { t.Error("woken") }))
}
