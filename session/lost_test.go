package session

import (
	"errors"
	"testing"
)

// shared is an association of client 1 with two connections.
func shared(t *testing.T, table *Table) (stays, goes *Conn) {
	return joined(t, table, 1, 0, 7), joined(t, table, 1, 7, 7)
}

// expectUnanswered checks the sessions of which nobody knows whether they are.
func expectUnanswered(t *testing.T, table *Table, want int) {
	t.Helper()
	if n := table.Count(); n.Unanswered != want || n.Reserved+n.Provisional != 0 {
		t.Fatalf("want %d unanswered: %+v", want, n)
	}
}

func TestBindInFlightOnALostConnectionCountsWhileItsAssociationLives(t *testing.T) {
	table, _ := newTable()
	stays, goes := shared(t, table)
	late := mustReserve(t, goes, proven(1))
	goes.Close()
	expectHeld(t, table, 1)
	expectUnanswered(t, table, 1)
	late.Commit(handle(1))
	late.Release()
	expectOutcome(t, stays, proven(1), Refused)
	stays.Close()
	expectHeld(t, table, 0)
	expectUnanswered(t, table, 0)
	if n := table.Count(); n.RunDown != 1 {
		t.Fatalf("%+v", n)
	}
}

func TestBindInFlightOnTheLastConnectionEndsWithIt(t *testing.T) {
	table, _ := newTable()
	stays, goes := shared(t, table)
	stays.Close()
	mustReserve(t, goes, proven(1))
	goes.Close()
	if n := table.Count(); n.Sessions+n.Reserved != 0 || n.Binds != 0 {
		t.Fatalf("%+v", n)
	}
}

func TestBindInFlightOnAConnectionThatOnlyAskedToJoinCounts(t *testing.T) {
	table, _ := newTable()
	joined(t, table, 1, 0, 7)
	c := table.Open(addrPort(1), scope, backend, endpoint)
	if err := c.MayJoin(7); err != nil {
		t.Fatal(err)
	}
	mustReserve(t, c, proven(1))
	c.Close()
	expectUnanswered(t, table, 1)
}

func TestSlotReservedForAWaiterIsNotABindInFlight(t *testing.T) {
	x := contend(t, 0)
	joined(t, x.table, 1, 0, 9)
	goes := joined(t, x.table, 1, 9, 9)
	expectOutcome(t, goes, x.request(0), Wait)
	x.claim.Release()
	x.expectWoken(t, 0)
	goes.Close()
	expectUnanswered(t, x.table, 0)
}

func TestUnansweredSessionIsNeverTakenForOneThatWasUnbound(t *testing.T) {
	table, _ := newTable()
	stays, goes := shared(t, table)
	mustReserve(t, goes, proven(-1))
	goes.Close()
	key := account("anna").Key()
	if stays.UnboundOpaque(key) || stays.Unbound(Handle{}) || stays.HandleUnknown(Handle{}, 1) {
		t.Fatal("a session was unbound whose handle nobody has")
	}
	mustReserve(t, stays, proven(-1)).CommitOpaque()
	if !stays.UnboundOpaque(key) {
		t.Fatal("the real session was not found")
	}
	expectHeld(t, table, 1)
	expectUnanswered(t, table, 1)
}

func TestUnansweredClaimIsChargedToTheAddressAndNotToTheName(t *testing.T) {
	table, _ := newTable()
	stays, goes := shared(t, table)
	for range 2 {
		mustReserve(t, goes, claim(2, nil))
	}
	goes.Close()
	expectUnanswered(t, table, 2)
	here := address(addrPort(1).Addr())
	if got := len(table.UserSessions(scope, here.Key(), 9)); got != 2 {
		t.Fatalf("%d sessions of the address", got)
	}
	if len(table.UserSessions(scope, account("anna").Key(), 9)) != 0 || len(table.Users()) != 1 {
		t.Fatalf("the name is charged, or shown: %+v", table.Users())
	}
	elsewhere := joined(t, table, 2, 0, 8)
	var w wakes
	mustReserve(t, elsewhere, claim(2, w.wake))
	// From the address that it came from, the claim may be true.
	expectOutcome(t, stays, claim(2, w.wake), Wait)
	again := joined(t, table, 1, 0, 9)
	expectOutcome(t, again, claim(2, w.wake), Wait)
	stays.Close()
	w.expect(t, 1)
	elsewhere.Close()
	again.Close()
	if n := table.Count(); n.Users != 0 || len(table.users.byKey) != 1 { // the address is history
		t.Fatalf("%+v, %d users", n, len(table.users.byKey))
	}
}

func TestAssociationThatLosesConnectionsOverAndOverTakesNoMore(t *testing.T) {
	table, _ := newTable()
	joined(t, table, 1, 0, 7)
	for range maxUnanswered {
		c := joined(t, table, 1, 7, 7)
		mustReserve(t, c, claim(-1, nil))
		c.Close()
	}
	c := table.Open(addrPort(1), scope, backend, endpoint)
	if err := c.MayJoin(7); !errors.Is(err, ErrUnanswered) {
		t.Fatal(err)
	}
	expectUnanswered(t, table, maxUnanswered)
}

func TestConnectionWhoseJoinIsRefusedIsNotInTheAssociation(t *testing.T) {
	table, _ := newTable()
	creator := joined(t, table, 1, 0, 7)
	session(t, creator, handle(1))
	c := table.Open(addrPort(1), scope, backend, endpoint)
	if err := c.MayJoin(7); err != nil {
		t.Fatal(err)
	}
	c.JoinRefused()
	creator.JoinRefused() // joined long ago
	expectHeld(t, table, 1)
	creator.Close()
	expectHeld(t, table, 0)
	if err := c.MayJoin(7); !errors.Is(err, ErrUnknownAssociation) {
		t.Fatalf("asking again: %v", err)
	}
	if err := errors.Join(c.MayJoin(0), c.Join(8)); err != nil {
		t.Fatalf("another bind on the connection: %v", err)
	}
}
