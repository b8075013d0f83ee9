package session

import (
	"fmt"
	"testing"
)

func TestLoadFollowsABackend(t *testing.T) {
	table, _ := newTable()
	expect := func(when string, want Load) {
		t.Helper()
		if got := table.Load(backend); got != want {
			t.Fatalf("%s: %+v, want %+v", when, got, want)
		}
	}
	expect("unknown", Load{})
	a := joined(t, table, 1, 0, 7)
	b := joined(t, table, 1, 7, 7)
	expect("connected", Load{Connections: 2})
	first, second := mustReserve(t, a, proven(-1)), mustReserve(t, a, claim(-1, nil))
	expect("asked", Load{Connections: 2, Reserved: 2})
	first.Commit(handle(1))
	second.Prove()
	expect("one granted, one proven", Load{Connections: 2, Sessions: 1, Reserved: 1})
	second.CommitOpaque()
	mustReserve(t, a, proven(-1))
	expect("both granted, another asked", Load{Connections: 2, Sessions: 2, Reserved: 1})
	a.Close()
	expect("lost with a bind in flight", Load{Connections: 1, Sessions: 3})
	b.Unbound(handle(1))
	expect("one unbound", Load{Connections: 1, Sessions: 2})
	if other := table.Load("dc2"); other != (Load{}) {
		t.Errorf("another backend carries %+v", other)
	}
	b.Close()
	expect("gone", Load{})
}

func TestBackendsOfOneScopeHaveLoadsOfTheirOwn(t *testing.T) {
	table, _ := newTable()
	for n, name := range []string{"dc1", "dc2", "dc2"} {
		c := table.Open(addrPort(byte(n)), "all", name, name+":6004")
		if err := c.Join(uint32(n + 1)); err != nil {
			t.Fatal(err)
		}
		session(t, c, handle(1))
	}
	for name, want := range map[string]Load{"dc1": {Sessions: 1, Connections: 1}, "dc2": {Sessions: 2, Connections: 2}, "all": {}} {
		if got := table.Load(name); got != want {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
	}
	if u := table.Users(); len(u) != 1 || u[0].Scope != "all" || u[0].Held != 3 {
		t.Errorf("%+v", u)
	}
	if s := table.Snapshot(); s[0].Backend != "dc1" || s[1].Backend != "dc2" {
		t.Errorf("%+v", s)
	}
}

// TestBackendsAreForgotten opens connections to many: with transparent listeners
// clients choose whom they connect to.
func TestBackendsAreForgotten(t *testing.T) {
	table, _ := newTable()
	for n := range 100 {
		c := table.Open(addrPort(1), scope, fmt.Sprint("dc", n), endpoint)
		mustReserve(t, c, claim(-1, nil))
		session(t, c, handle(1))
		c.Close()
		c.Close()
	}
	expectEmpty(t, table)
}

// TestBackendOutlivesTheRunDownOfALeak has so many sessions that the lock is
// released meanwhile.
func TestBackendOutlivesTheRunDownOfALeak(t *testing.T) {
	table, _ := newTable()
	c := joined(t, table, 1, 0, 7)
	for n := range 2*rundownBatch + 1 {
		session(t, c, nthHandle(n))
	}
	c.Close()
	expectEmpty(t, table)
	session(t, joined(t, table, 1, 0, 7), handle(1))
	if got, want := table.Load(backend), (Load{Sessions: 1, Connections: 1}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// TestGroupIDsAreOfOneBackend: whatever the endpoints are called.
func TestGroupIDsAreOfOneBackend(t *testing.T) {
	table, _ := newTable()
	first := joined(t, table, 1, 0, 7)
	session(t, first, handle(1))
	other := table.Open(addrPort(2), scope, "dc2", endpoint)
	if err := other.MayJoin(7); err != ErrUnknownAssociation {
		t.Errorf("MayJoin of another backend's association: %v", err)
	}
	if err := other.Join(7); err != nil {
		t.Errorf("an id that another backend has given too: %v", err)
	}
	if other.Unbound(handle(1)) {
		t.Error("another backend's session was unbound")
	}
	expectHeld(t, table, 1)
}
