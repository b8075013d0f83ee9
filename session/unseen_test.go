package session

import (
	"errors"
	"testing"
)

// A client may have made it past the proxy: what is not about sessions is the domain
// controller's to judge.
func TestUnknownAssociationIsJoinedWithoutSessions(t *testing.T) {
	table, _ := newTable()
	c := table.Open(addrPort(1), scope, backend, endpoint)
	if err := c.MayJoinElsewhere(7); err != nil {
		t.Fatal(err)
	}
	if err := c.MayOpen(); !errors.Is(err, ErrUnknownAssociation) {
		t.Errorf("a session may be opened before the answer: %v", err)
	}
	if err := c.Join(7); err != nil {
		t.Fatal(err)
	}
	if err := c.MayOpen(); !errors.Is(err, ErrUnknownAssociation) {
		t.Errorf("a session may be opened: %v", err)
	}
	second := table.Open(addrPort(1), scope, backend, endpoint)
	if err := second.MayJoin(7); !errors.Is(err, ErrUnknownAssociation) {
		t.Errorf("MayJoin: %v", err)
	}
	if err := errors.Join(second.MayJoinElsewhere(7), second.Join(7)); err != nil {
		t.Error(err)
	}
	if err := second.MayOpen(); !errors.Is(err, ErrUnknownAssociation) {
		t.Errorf("a session may be opened on the second: %v", err)
	}
	elsewhere := table.Open(addrPort(1), scope, backend, "10.0.0.1:49152")
	if err := elsewhere.MayJoin(7); !errors.Is(err, ErrUnknownAssociation) {
		t.Errorf("MayJoin at another endpoint: %v", err)
	}
	for _, c := range []*Conn{c, second, elsewhere} {
		c.Close()
	}
	if n := table.Count(); n.Associations != 0 || n.Connections != 0 {
		t.Errorf("left over: %+v", n)
	}
}

func TestRefusedJoinOfAnUnknownAssociationLeavesTheConnectionToANewOne(t *testing.T) {
	table, _ := newTable()
	c := table.Open(addrPort(1), scope, backend, endpoint)
	if err := c.MayJoinElsewhere(7); err != nil {
		t.Fatal(err)
	}
	c.JoinRefused()
	if err := errors.Join(c.MayJoin(0), c.Join(8), c.MayOpen()); err != nil {
		t.Fatal(err)
	}
	session(t, c, handle(1))
	expectHeld(t, table, 1)
	c.Close()
	expectHeld(t, table, 0)
}

// The domain controller starts an association that the client did not ask for.
func TestNewAssociationInPlaceOfAnUnknownOneIsSeen(t *testing.T) {
	table, _ := newTable()
	c := table.Open(addrPort(1), scope, backend, endpoint)
	if err := errors.Join(c.MayJoinElsewhere(7), c.Join(8), c.MayOpen()); err != nil {
		t.Fatal(err)
	}
	c.Close()
}

func TestAssociationOfAnotherClientIsNotJoinedElsewhereEither(t *testing.T) {
	table, _ := newTable()
	owner := joined(t, table, 1, 0, 7)
	c := table.Open(addrPort(2), scope, backend, endpoint)
	if err := c.MayJoinElsewhere(7); !errors.Is(err, ErrForeignAssociation) {
		t.Errorf("MayJoinElsewhere: %v", err)
	}
	own := table.Open(addrPort(1), scope, backend, endpoint)
	if err := errors.Join(own.MayJoinElsewhere(7), own.Join(7), own.MayOpen()); err != nil {
		t.Errorf("one that is seen: %v", err)
	}
	for _, c := range []*Conn{owner, c, own} {
		c.Close()
	}
}
