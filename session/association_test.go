package session

import (
	"errors"
	"testing"

	"pgregory.net/rapid"
)

func TestSessionsEndWithTheLastConnectionInEitherOrder(t *testing.T) {
	for name, creatorFirst := range map[string]bool{"creator first": true, "creator last": false} {
		t.Run(name, func(t *testing.T) {
			table, _ := newTable()
			creator := joined(t, table, 1, 0, 7)
			second := joined(t, table, 1, 7, 7)
			session(t, creator, handle(1))
			session(t, second, handle(2))
			first, last := creator, second
			if !creatorFirst {
				first, last = second, creator
			}
			first.Close()
			first.Close()
			expectHeld(t, table, 2)
			last.Close()
			expectHeld(t, table, 0)
			if n := table.Count(); n.RunDown != 2 || n.Connections != 0 || n.Associations != 0 {
				t.Fatalf("%+v", n)
			}
		})
	}
}

func TestJoinNeedsALiveAssociationOfTheSameClient(t *testing.T) {
	table, _ := newTable()
	creator := joined(t, table, 1, 0, 7)
	tests := []struct {
		name     string
		client   byte
		endpoint string
		id       uint32
		want     error
	}{
		{"no association asked for", 2, endpoint, 0, nil},
		{"own association", 1, endpoint, 7, nil},
		{"another client's", 2, endpoint, 7, ErrForeignAssociation},
		{"never heard of", 1, endpoint, 8, ErrUnknownAssociation},
		{"own association at another endpoint", 1, "10.0.0.1:49152", 7, nil},
		{"another client's at another endpoint", 2, "10.0.0.1:49152", 7, ErrForeignAssociation},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := table.Open(addrPort(tt.client), scope, backend, tt.endpoint)
			defer c.Close()
			if err := c.MayJoin(tt.id); !errors.Is(err, tt.want) {
				t.Fatalf("MayJoin: %v, want %v", err, tt.want)
			}
		})
	}
	creator.Close()
	late := table.Open(addrPort(1), scope, backend, endpoint)
	if err := late.MayJoin(7); !errors.Is(err, ErrUnknownAssociation) {
		t.Fatalf("MayJoin after the last connection has closed: %v", err)
	}
}

// A domain controller has several server processes with ids of their own, and the
// one of the address book has several endpoints. Whoever gets from another process
// the id of somebody else's association must not enter that one by an endpoint at
// which the table does not know it.
func TestIDOfTwoClientsAtOtherEndpointsIsNotJoined(t *testing.T) {
	table, _ := newTable()
	session(t, joined(t, table, 1, 0, 7), handle(1))
	own := table.Open(addrPort(2), scope, backend, "10.0.0.1:135")
	if err := own.Join(7); err != nil {
		t.Fatal(err)
	}
	c := table.Open(addrPort(2), scope, backend, "10.0.0.1:49152")
	if err := c.MayJoin(7); !errors.Is(err, ErrForeignAssociation) {
		t.Errorf("MayJoin: %v", err)
	}
}

func TestServerMayShareAnAssociationAmongItsEndpoints(t *testing.T) {
	table, _ := newTable()
	first := joined(t, table, 1, 0, 7)
	slot, _, _ := first.Reserve(ReserveRequest{User: Identity{Address: addrPort(1).Addr()}, Limit: 1, Proven: true})
	slot.Commit(Handle{1})
	second := table.Open(addrPort(1), scope, backend, "10.0.0.1:49152")
	if err := second.MayJoin(7); err != nil {
		t.Fatal(err)
	}
	if err := second.Join(7); err != nil {
		t.Fatal(err)
	}
	first.Close()
	if n := table.Count().Sessions; n != 1 {
		t.Fatalf("%d sessions after the first connection has closed, want 1", n)
	}
	if !second.Unbound(Handle{1}) {
		t.Error("the handle is not known at the other endpoint")
	}
	second.Close()
	if c := table.Count(); c.Associations != 0 || c.Connections != 0 {
		t.Errorf("left over: %+v", c)
	}
}

func TestMappedAddressIsTheSameClient(t *testing.T) {
	table, _ := newTable()
	joined(t, table, 1, 0, 7)
	c := table.Open(addrPortMapped(1), scope, backend, endpoint)
	if err := c.MayJoin(7); err != nil {
		t.Fatal(err)
	}
}

func TestConnectionStaysInItsAssociation(t *testing.T) {
	table, _ := newTable()
	c := joined(t, table, 1, 0, 7)
	for _, id := range []uint32{7, 0} {
		if err := errors.Join(c.MayJoin(id), c.Join(id)); err != nil {
			t.Fatalf("id %d again: %v", id, err)
		}
	}
	for _, err := range []error{c.MayJoin(8), c.Join(8)} {
		if !errors.Is(err, ErrAssociationChanged) {
			t.Fatalf("another id: %v", err)
		}
	}
	session(t, c, handle(1))
	expectHeld(t, table, 1)
}

func TestPrivateAssociationsAreNotShared(t *testing.T) {
	table, _ := newTable()
	a, b := joined(t, table, 1, 0, 0), joined(t, table, 1, 0, 0)
	session(t, a, handle(1))
	if b.Unbound(handle(1)) {
		t.Fatal("association 0 was shared")
	}
	b.Close()
	expectHeld(t, table, 1)
	a.Close()
	expectHeld(t, table, 0)
}

// The domain controller sees the join before the creator's end, so the
// association, and its sessions, live on.
func TestUnansweredJoinKeepsTheAssociation(t *testing.T) {
	table, _ := newTable()
	creator := joined(t, table, 1, 0, 7)
	session(t, creator, handle(1))
	second := table.Open(addrPort(1), scope, backend, endpoint)
	if err := second.MayJoin(7); err != nil {
		t.Fatal(err)
	}
	creator.Close()
	expectHeld(t, table, 1)
	if second.Unbound(handle(1)) {
		t.Fatal("unbound before the join was confirmed")
	}
	if err := second.Join(7); err != nil {
		t.Fatal(err)
	}
	if !second.Unbound(handle(1)) {
		t.Fatal("the session was lost")
	}
}

func TestAskingAgainKeepsTheAssociation(t *testing.T) {
	table, _ := newTable()
	creator := joined(t, table, 1, 0, 7)
	session(t, creator, handle(1))
	second := table.Open(addrPort(1), scope, backend, endpoint)
	for range 2 {
		if err := second.MayJoin(7); err != nil {
			t.Fatal(err)
		}
		creator.Close()
	}
	expectHeld(t, table, 1)
}

func TestHandlesAreFoundInAssociationsOfAnySize(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, model := &association{}, map[Handle]*Slot{}
		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			h := handle(rapid.ByteRange(1, 3*scanLimit).Draw(t, "handle"))
			s := model[h]
			if got := a.find(h); got != s {
				t.Fatalf("found %p, want %p", got, s)
			}
			if s == nil {
				s = &Slot{handle: h}
				model[h] = s
				a.add(s)
			} else if rapid.IntRange(0, 3).Draw(t, "keep") > 0 {
				delete(model, h)
				a.remove(s)
			}
			if a.held.n != len(model) || a.byHandle != nil && len(a.byHandle) != len(model) || len(model) == 0 && a.byHandle != nil {
				t.Fatalf("%d sessions, %d in the index, want %d", a.held.n, len(a.byHandle), len(model))
			}
		}
	})
}

func TestEmptyAssociationKeepsNoIndex(t *testing.T) {
	a := &association{}
	var slots []*Slot
	for n := range byte(scanLimit + 1) {
		slots = append(slots, &Slot{handle: handle(n + 1)})
		a.add(slots[n])
	}
	if a.byHandle == nil {
		t.Fatal("no index")
	}
	for _, s := range slots {
		a.remove(s)
	}
	if a.byHandle != nil {
		t.Fatal("the index is still there")
	}
}

func TestRefusedJoinEndsTheAssociation(t *testing.T) {
	ends := map[string]func(*Conn) error{
		"connection lost":        func(c *Conn) error { c.Close(); return nil },
		"bind again without id":  func(c *Conn) error { return c.MayJoin(0) },
		"answered with a new id": func(c *Conn) error { return c.Join(8) },
		"answered with no id":    func(c *Conn) error { return c.Join(0) },
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			table, _ := newTable()
			creator := joined(t, table, 1, 0, 7)
			session(t, creator, handle(1))
			second := table.Open(addrPort(1), scope, backend, endpoint)
			if err := second.MayJoin(7); err != nil {
				t.Fatal(err)
			}
			creator.Close()
			if err := end(second); err != nil {
				t.Fatal(err)
			}
			expectHeld(t, table, 0)
			second.Close()
			if n := table.Count(); n.Associations != 0 {
				t.Fatalf("%+v", n)
			}
		})
	}
}

func TestAssociationIDIsReusedAfterItsEnd(t *testing.T) {
	table, _ := newTable()
	old := joined(t, table, 1, 0, 7)
	session(t, old, handle(1))
	old.Close()
	other := joined(t, table, 2, 0, 7)
	if other.Unbound(handle(1)) {
		t.Fatal("the new association has a session of the old one")
	}
	session(t, other, handle(1))
	old.Close()
	expectHeld(t, table, 1)
}

// A restarted domain controller begins its ids anew while connections to the
// old one linger; and it may give an id away before their end is noticed here.
func TestAssociationIDGivenAnewEndsTheOldAssociation(t *testing.T) {
	for name, client := range map[string]byte{"same client": 1, "another client": 2} {
		t.Run(name, func(t *testing.T) {
			table, _ := newTable()
			old := joined(t, table, 1, 0, 7)
			session(t, old, handle(1))
			pending := mustReserve(t, old, proven(-1))
			anew := joined(t, table, client, 0, 7)
			expectHeld(t, table, 0)
			session(t, anew, handle(1))
			if old.Unbound(handle(1)) {
				t.Fatal("the old association has a session of the new one")
			}
			pending.Commit(handle(2)) // an answer that was still under way
			old.Close()
			expectHeld(t, table, 1)
			second := joined(t, table, client, 7, 7)
			anew.Close()
			expectHeld(t, table, 1)
			second.Close()
			expectHeld(t, table, 0)
		})
	}
}

func TestJoinAnsweredWithAForeignAssociation(t *testing.T) {
	table, _ := newTable()
	joined(t, table, 1, 0, 7)
	joined(t, table, 2, 0, 8)
	c := table.Open(addrPort(2), scope, backend, endpoint)
	if err := c.MayJoin(8); err != nil {
		t.Fatal(err)
	}
	if err := c.Join(7); !errors.Is(err, ErrForeignAssociation) {
		t.Fatalf("Join: %v", err)
	}
}

func TestClosedConnectionDoesNothing(t *testing.T) {
	table, _ := newTable()
	c := joined(t, table, 1, 0, 7)
	c.Close()
	c.Close()
	if err := c.MayJoin(0); !errors.Is(err, ErrClosed) {
		t.Errorf("MayJoin: %v", err)
	}
	if err := c.Join(7); !errors.Is(err, ErrClosed) {
		t.Errorf("Join: %v", err)
	}
	if s, _, outcome := c.Reserve(proven(-1)); s != nil || outcome != Refused {
		t.Errorf("Reserve: %v", outcome)
	}
	c.Touch(handle(1))
	c.TouchOpaque(account("anna").Key())
	c.Withdraw()
	if n := table.Count(); n != (Counts{}) {
		t.Errorf("%+v", n)
	}
}

func TestLargeAssociationEndsCompletely(t *testing.T) {
	table, _ := newTable()
	c := joined(t, table, 1, 0, 7)
	const sessions = 3*rundownBatch + 1
	for n := range sessions {
		s := mustReserve(t, c, proven(-1))
		if n%3 == 0 {
			s.CommitOpaque()
			continue
		}
		h := Handle{5: byte(n), 6: byte(n >> 8), 7: 1}
		s.Commit(h)
	}
	expectHeld(t, table, sessions)
	c.Close()
	expectHeld(t, table, 0)
}
