package session

import (
	"net/netip"
	"testing"
)

// owned is an association with a session of anna's, and a connection that has joined it.
func owned(t *testing.T, vouched bool) (table *Table, clk *clock, owner, stranger *Conn, ended *int) {
	t.Helper()
	table, clk = newTable()
	owner = joined(t, table, 1, 0, 7)
	owner.Vouch()
	session(t, owner, handle(1))
	stranger = joined(t, table, 1, 7, 7)
	ended = new(int)
	stranger.EndWith(func() { *ended++ })
	if vouched {
		stranger.Vouch()
	}
	return table, clk, owner, stranger, ended
}

func TestStrangersDoNotKeepSessionsAlive(t *testing.T) {
	table, clock, owner, stranger, ended := owned(t, false)
	clock.advance(StrangerTime)
	table.Expire()
	if *ended != 0 {
		t.Fatal("a stranger was ended while the owner was there")
	}
	owner.Close()
	expectHeld(t, table, 1) // the domain controller still has it
	clock.advance(StrangerTime - 1)
	table.Expire()
	if *ended != 0 {
		t.Fatal("a stranger was ended too early")
	}
	clock.advance(1)
	table.Expire()
	table.Expire()
	if *ended != 1 {
		t.Fatalf("ended %d times", *ended)
	}
	stranger.Close()
	expectHeld(t, table, 0)
}

func TestConnectionsWithAUserKeepSessionsAlive(t *testing.T) {
	for name, rescue := range map[string]func(t *testing.T, table *Table, stranger *Conn){
		"the other one has a user":      func(_ *testing.T, _ *Table, stranger *Conn) { stranger.Vouch() },
		"a new one, with a user, joins": func(t *testing.T, table *Table, _ *Conn) { joined(t, table, 1, 7, 7).Vouch() },
	} {
		for _, late := range []bool{false, true} {
			table, clock, owner, stranger, ended := owned(t, false)
			if !late {
				rescue(t, table, stranger)
			}
			owner.Close()
			clock.advance(StrangerTime / 2)
			if late {
				rescue(t, table, stranger)
			}
			clock.advance(StrangerTime)
			table.Expire()
			if *ended != 0 {
				t.Errorf("%s, late %t: it was ended", name, late)
			}
			expectHeld(t, table, 1)
		}
	}
}

// Where no user is known there are no strangers.
func TestAssociationsOfAddressesAreLeftAlone(t *testing.T) {
	table, clock := newTable()
	one := joined(t, table, 1, 0, 7)
	one.Vouch()
	id := Identity{Address: addrPort(1).Addr()}
	mustReserve(t, one, ReserveRequest{User: id, Limit: -1, Proven: true}).Commit(handle(1))
	two := joined(t, table, 1, 7, 7)
	two.EndWith(func() { t.Error("it was ended") })
	one.Close()
	clock.advance(2 * StrangerTime)
	table.Expire()
	expectHeld(t, table, 1)
}

func TestStrangersAreLeftWhenTheSessionsHaveEnded(t *testing.T) {
	table, clock, owner, stranger, ended := owned(t, false)
	owner.Close()
	stranger.Unbound(handle(1))
	clock.advance(2 * StrangerTime)
	table.Expire()
	if *ended != 0 {
		t.Error("it was ended for nothing")
	}
}

// A host with many addresses is one place: where claims of lost connections are found
// again, and in the turns of those who wait.
func TestClaimsAreRememberedByNetwork(t *testing.T) {
	table, _ := newTable()
	at := func(address string) (*Conn, Identity) {
		a := netip.MustParseAddr(address)
		network, _ := a.Prefix(64)
		c := table.Open(netip.AddrPortFrom(a, 1), "dc1", "dc1", "dc1:1")
		id := account("anna")
		id.Address, id.Network = a, network
		return c, id
	}
	first, id := at("2001:db8::1")
	if err := first.Join(7); err != nil {
		t.Fatal(err)
	}
	stays, _ := at("2001:db8::1")
	if err := stays.MayJoin(7); err != nil {
		t.Fatal(err)
	}
	mustReserve(t, first, ReserveRequest{User: id, Limit: 1, Wake: func() {}})
	first.Close() // the claim is unresolved now
	second, id := at("2001:db8::2")
	expectOutcome(t, second, ReserveRequest{User: id, Limit: 1, Wake: func() {}}, Wait)
	second.Withdraw()
	other, id := at("2001:db8:1::2")
	expectOutcome(t, other, ReserveRequest{User: id, Limit: 1, Wake: func() {}}, Reserved)
}

// The owner has left with a bind in flight, which may have become a session.
func TestStrangersDoNotKeepUnansweredSessionsAlive(t *testing.T) {
	table, clock := newTable()
	owner := joined(t, table, 1, 0, 7)
	owner.Vouch()
	mustReserve(t, owner, ReserveRequest{User: account("anna"), Limit: 1, Proven: true})
	stranger := joined(t, table, 1, 7, 7)
	ended := 0
	stranger.EndWith(func() { ended++; stranger.Close() })
	owner.Close()
	expectHeld(t, table, 1)
	clock.advance(StrangerTime)
	table.Expire()
	if ended != 1 {
		t.Errorf("ended %d times", ended)
	}
	expectHeld(t, table, 0)
}
