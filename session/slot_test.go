package session

import "testing"

func TestAnswersThatComeTwiceOrLateChangeNothing(t *testing.T) {
	events := map[string]func(*Slot){
		"commit":        func(s *Slot) { s.Commit(handle(9)) },
		"commit null":   func(s *Slot) { s.Commit(Handle{}) },
		"commit opaque": func(s *Slot) { s.CommitOpaque() },
		"prove":         func(s *Slot) { s.Prove() },
		"release":       func(s *Slot) { s.Release() },
	}
	ends := map[string]struct {
		bring func(*Conn, *Slot)
		held  int
	}{
		"held":     {func(_ *Conn, s *Slot) { s.Commit(handle(1)) }, 1},
		"released": {func(_ *Conn, s *Slot) { s.Release() }, 0},
		"unbound":  {func(c *Conn, s *Slot) { s.Commit(handle(1)); c.Unbound(handle(1)) }, 0},
		"closed":   {func(c *Conn, _ *Slot) { c.Close() }, 0},
	}
	for end, e := range ends {
		for event, tell := range events {
			t.Run(event+" when "+end, func(t *testing.T) {
				table, _ := newTable()
				c := joined(t, table, 1, 0, 7)
				s := mustReserve(t, c, claim(5, nil))
				e.bring(c, s)
				before := table.Count()
				tell(s)
				if after := table.Count(); after != before {
					t.Fatalf("before %+v\nafter  %+v", before, after)
				}
				expectHeld(t, table, e.held)
			})
		}
	}
}

func TestResponseForACallNeverMadeIsHarmless(t *testing.T) {
	var s *Slot
	s.Commit(handle(1))
	s.Commit(Handle{})
	s.CommitOpaque()
	s.Prove()
	s.Release()
}

func TestZeroHandleGrantsNothing(t *testing.T) {
	table, _ := newTable()
	c := joined(t, table, 1, 0, 7)
	mustReserve(t, c, proven(1)).Commit(Handle{})
	expectHeld(t, table, 0)
	if c.Unbound(Handle{}) || c.HandleUnknown(Handle{}, 1) {
		t.Fatal("a NULL handle was found")
	}
	mustReserve(t, c, proven(1))
}

func TestHandleGrantedAgainReplacesTheOlderSession(t *testing.T) {
	table, _ := newTable()
	c := joined(t, table, 1, 0, 7)
	session(t, c, handle(1))
	session(t, c, handle(1))
	expectHeld(t, table, 1)
	if n := table.Count(); n.LostByServer != 1 {
		t.Fatalf("%d lost by the server, want 1", n.LostByServer)
	}
	if !c.Unbound(handle(1)) || c.Unbound(handle(1)) {
		t.Fatal("want one session of that handle")
	}
}

func TestSameHandleInTwoAssociationsIsTwoSessions(t *testing.T) {
	table, _ := newTable()
	a, b := joined(t, table, 1, 0, 7), joined(t, table, 1, 0, 8)
	session(t, a, handle(1))
	session(t, b, handle(1))
	expectHeld(t, table, 2)
	if !a.Unbound(handle(1)) {
		t.Fatal("unknown handle")
	}
	if got := table.Snapshot(); len(got) != 1 || got[0].GroupID != 8 {
		t.Fatalf("left: %+v", got)
	}
}

func TestUnbindOnAnotherConnectionOfTheAssociation(t *testing.T) {
	table, _ := newTable()
	a := joined(t, table, 1, 0, 7)
	b := joined(t, table, 1, 7, 7)
	session(t, a, handle(1))
	if !b.Unbound(handle(1)) {
		t.Fatal("the session belongs to the association")
	}
	expectHeld(t, table, 0)
}

func TestUnbindOfWhatIsNotThereIsHarmless(t *testing.T) {
	table, _ := newTable()
	c, stranger := joined(t, table, 1, 0, 7), joined(t, table, 2, 0, 8)
	unjoined := table.Open(addrPort(1), scope, backend, endpoint)
	session(t, c, handle(1))
	s := mustReserve(t, c, proven(-1))
	s.CommitOpaque()
	key := account("anna").Key()
	for _, other := range []*Conn{stranger, unjoined} {
		if other.Unbound(handle(1)) || other.HandleUnknown(handle(1), 1) || other.UnboundOpaque(key) {
			t.Fatal("a session of another association was released")
		}
	}
	if c.Unbound(handle(2)) || c.UnboundOpaque(account("bob").Key()) {
		t.Fatal("an unknown session was released")
	}
	expectHeld(t, table, 2)
	if !c.Unbound(handle(1)) || c.Unbound(handle(1)) {
		t.Fatal("want the first unbind to succeed, and the second to find nothing")
	}
	if !c.UnboundOpaque(key) || c.UnboundOpaque(key) {
		t.Fatal("want the first unbind to succeed, and the second to find nothing")
	}
	c.Close()
	if c.Unbound(handle(1)) || c.UnboundOpaque(key) {
		t.Fatal("a closed connection has sessions")
	}
}

func TestOpaqueUnbindFreesTheOldestOfThatUser(t *testing.T) {
	table, clock := newTable()
	c := joined(t, table, 1, 0, 7)
	for _, name := range []string{"anna", "bob", "anna"} {
		clock.advance(1e9)
		s := mustReserve(t, c, ReserveRequest{User: account(name), Limit: -1, Proven: true})
		s.CommitOpaque()
	}
	clock.advance(1e9)
	if !c.UnboundOpaque(account("ANNA").Key()) {
		t.Fatal("no session of anna")
	}
	got := table.Snapshot()
	if len(got) != 2 || got[0].User != account("bob") || got[1].User != account("anna") || got[1].Age != 1e9 {
		t.Fatalf("left: %+v", got)
	}
	expectHeld(t, table, 2)
}

func TestDisownedSessionIsDrift(t *testing.T) {
	table, _ := newTable()
	c := joined(t, table, 1, 0, 7)
	mine, other := c.NewCaller(), c.NewCaller()
	mustReserve(t, c, ReserveRequest{User: account("anna"), Limit: -1, Proven: true, Caller: mine}).Commit(handle(1))
	if c.HandleUnknown(handle(1), other) || c.HandleUnknown(handle(1), 0) {
		t.Fatal("a handle that another user does not know may live")
	}
	expectHeld(t, table, 1)
	if !c.HandleUnknown(handle(1), mine) || c.HandleUnknown(handle(1), mine) {
		t.Fatal("want one session of that handle")
	}
	if n := table.Count(); n.LostByServer != 1 || n.Unbinds != 0 {
		t.Fatalf("%+v", n)
	}
	expectHeld(t, table, 0)
}

func TestGrantBeforeAnyBindAckBelongsToTheConnection(t *testing.T) {
	table, _ := newTable()
	c := table.Open(addrPort(1), scope, backend, endpoint)
	session(t, c, handle(1))
	expectHeld(t, table, 1)
	if err := c.Join(7); err != ErrAssociationChanged {
		t.Fatalf("Join: %v", err)
	}
	c.Close()
	expectHeld(t, table, 0)
}
