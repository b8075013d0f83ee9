package session

import (
	"strconv"
	"testing"
	"time"
)

// populate gives anna two sessions from two clients, and bob one.
func populate(t *testing.T) (*Table, *clock, [2]*Conn) {
	table, clock := newTable()
	conns := [2]*Conn{joined(t, table, 1, 0, 7), joined(t, table, 2, 0, 8)}
	for n, s := range []struct {
		conn *Conn
		user string
	}{{conns[0], "bob"}, {conns[0], "anna"}, {conns[1], "Anna"}} {
		r := ReserveRequest{User: account(s.user), Limit: -1, Proven: true}
		mustReserve(t, s.conn, r).Commit(handle(byte(n + 1)))
		clock.advance(time.Minute)
	}
	return table, clock, conns
}

func TestUsersAreListedOldestFirst(t *testing.T) {
	table, _, conns := populate(t)
	conns[0].Touch(handle(2))
	got := table.Users()
	want := []Entry{
		{
			Scope: scope, User: account("bob"), Key: account("bob").Key(), Usage: Usage{Held: 1},
			Binds: 1, Age: 3 * time.Minute, Idle: 3 * time.Minute,
		},
		{
			Scope: scope, User: account("Anna"), Key: account("anna").Key(), Usage: Usage{Held: 2},
			Binds: 2, Age: 2 * time.Minute, Idle: 0,
		},
	}
	expectEntries(t, got, want)
}

func TestClientsAreListedOldestFirst(t *testing.T) {
	table, _, conns := populate(t)
	conns[0].Unbound(handle(1))
	expectEntries(t, table.Clients(), []Entry{
		{Client: addrPort(1).Addr(), Usage: Usage{Held: 1}, Binds: 2, Unbinds: 1, Age: 2 * time.Minute, Idle: 2 * time.Minute},
		{Client: addrPort(2).Addr(), Usage: Usage{Held: 1}, Binds: 1, Age: time.Minute, Idle: time.Minute},
	})
}

func TestHistoryFollowsThoseWhoHoldSomething(t *testing.T) {
	table, clock, conns := populate(t)
	conns[0].Unbound(handle(1))
	clock.advance(time.Second)
	conns[0].Close()
	clock.advance(time.Second)
	users := table.Users()
	expectEntries(t, users, []Entry{
		{
			Scope: scope, User: account("Anna"), Key: account("anna").Key(), Usage: Usage{Held: 1},
			Binds: 2, Age: time.Minute + 2*time.Second, Idle: time.Minute + 2*time.Second,
		},
		{
			Scope: scope, User: account("bob"), Key: account("bob").Key(),
			Binds: 1, Unbinds: 1, Idle: 2 * time.Second,
		},
	})
	clients := table.Clients()
	expectEntries(t, clients[1:], []Entry{{Client: addrPort(1).Addr(), Binds: 2, Unbinds: 1, Idle: time.Second}})
	if n := table.Count(); n.Users != 1 || n.Clients != 1 {
		t.Fatalf("history counts as live: %+v", n)
	}
}

func expectEntries(t *testing.T, got, want []Entry) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d entries, want %d: %+v", len(got), len(want), got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("entry %d\n got %+v\nwant %+v", i, got[i], want[i])
		}
	}
}

func TestSessionsAreListedOldestFirst(t *testing.T) {
	table, _, _ := populate(t)
	lists := map[string]struct {
		got  []Session
		want []byte
	}{
		"all":                {table.Snapshot(), []byte{1, 2, 3}},
		"of a user":          {table.UserSessions(scope, account("anna").Key(), 10), []byte{2, 3}},
		"of a user, limited": {table.UserSessions(scope, account("anna").Key(), 1), []byte{2}},
		"of nobody":          {table.UserSessions(backend, account("anna").Key(), 10), nil},
		"of a client":        {table.ClientSessions(addrPortMapped(1).Addr(), 10), []byte{1, 2}},
		"of no client":       {table.ClientSessions(addrPort(3).Addr(), 10), nil},
		"none asked for":     {table.ClientSessions(addrPort(1).Addr(), -1), nil},
	}
	for name, list := range lists {
		t.Run(name, func(t *testing.T) {
			if len(list.got) != len(list.want) {
				t.Fatalf("%+v", list.got)
			}
			for i, n := range list.want {
				if list.got[i].Handle != handle(n) {
					t.Fatalf("session %d is %+v, want handle %d", i, list.got[i], n)
				}
			}
		})
	}
	want := Session{
		Backend: backend, Endpoint: endpoint, GroupID: 7, User: account("bob"), Client: addrPort(1).Addr(),
		Handle: handle(1), Age: 3 * time.Minute, Idle: 3 * time.Minute,
	}
	if got := table.Snapshot()[0]; got != want {
		t.Fatalf("%+v\nwant %+v", got, want)
	}
}

func TestTouchResetsIdleTime(t *testing.T) {
	table, clock, conns := populate(t)
	idle := func() time.Duration { return table.UserSessions(scope, account("bob").Key(), 1)[0].Idle }
	for range 2 { // the second finds what the first has found
		conns[0].Touch(handle(1))
		if got := idle(); got != 0 {
			t.Fatalf("idle %v", got)
		}
		clock.advance(time.Minute)
	}
	conns[1].Touch(handle(1)) // of another association
	conns[0].Touch(handle(2))
	if got := idle(); got != time.Minute {
		t.Fatalf("idle %v", got)
	}
	conns[0].Touch(handle(1))
	conns[0].Unbound(handle(1))
	conns[0].Touch(handle(1)) // of no association
	session(t, conns[0], handle(1))
	clock.advance(time.Minute)
	conns[0].Touch(handle(1))
	if got := table.UserSessions(scope, account("anna").Key(), 3)[2]; got.Handle != handle(1) || got.Idle != 0 {
		t.Fatalf("a handle granted anew is not touched: %+v", got)
	}
}

func TestTouchOpaqueGoesToTheNewest(t *testing.T) {
	table, clock := newTable()
	c := joined(t, table, 1, 0, 7)
	for range 2 {
		mustReserve(t, c, proven(-1)).CommitOpaque()
		clock.advance(time.Minute)
	}
	c.TouchOpaque(account("anna").Key())
	c.TouchOpaque(account("bob").Key())
	got := table.Snapshot()
	if got[0].Idle != 2*time.Minute || got[1].Idle != 0 || !got[0].Opaque {
		t.Fatalf("%+v", got)
	}
}

func TestHistoryIsBoundedAndForgetsTheLongestGone(t *testing.T) {
	table, _ := newTable()
	c := joined(t, table, 1, 0, 7)
	const more = 10
	for n := range HistoryLimit + more {
		r := ReserveRequest{User: account(strconv.Itoa(n)), Limit: -1, Proven: true}
		mustReserve(t, c, r).Commit(handle(1))
		c.Unbound(handle(1))
	}
	users := table.Users()
	if len(users) != HistoryLimit || len(table.users.byKey) != HistoryLimit {
		t.Fatalf("%d users, %d keys", len(users), len(table.users.byKey))
	}
	for _, e := range users {
		if n, _ := strconv.Atoi(e.User.Account.User); n < more {
			t.Fatalf("%v is still remembered", e.User)
		}
	}
}

func TestConnectionOutlivesTheMemoryOfItsClient(t *testing.T) {
	table, _ := newTable()
	c := joined(t, table, 1, 0, 7)
	session(t, c, handle(1))
	c.Unbound(handle(1))
	table.users.forget(table.users.all[0])
	table.clients.forget(table.clients.all[0])
	session(t, c, handle(1))
	if len(table.Users()) != 1 || len(table.Clients()) != 1 {
		t.Fatalf("listed: %+v, %+v", table.Users(), table.Clients())
	}
}

func TestRecordsForgottenDuringAListingAreLeftOut(t *testing.T) {
	table, _ := newTable()
	c := joined(t, table, 1, 0, 7)
	session(t, c, handle(1))
	users, clients := table.users.clone(), table.clients.clone()
	c.Unbound(handle(1))
	table.users.forget(users[0])
	table.clients.forget(clients[0])
	if e, ok := table.userEntry(users[0]); ok {
		t.Errorf("%+v", e)
	}
	if e, ok := table.clientEntry(clients[0]); ok {
		t.Errorf("%+v", e)
	}
}

func TestUnprovenNamesNeverEnterHistory(t *testing.T) {
	table, _ := newTable()
	c := joined(t, table, 1, 0, 7)
	for n := range 100 {
		s := mustReserve(t, c, ReserveRequest{User: account(strconv.Itoa(n)), Limit: -1})
		s.Release()
	}
	if len(table.users.all)+len(table.users.byKey)+len(table.clients.all) != 0 {
		t.Fatalf("%d users remembered", len(table.users.all))
	}
}

func TestProvenNameReplacesAClaimedSpelling(t *testing.T) {
	table, _ := newTable()
	c := joined(t, table, 1, 0, 7)
	mustReserve(t, c, ReserveRequest{User: account("aNNa"), Limit: -1})
	mustReserve(t, c, ReserveRequest{User: account("Anna"), Limit: -1, Proven: true})
	if got := table.Users()[0].User; got != account("Anna") {
		t.Fatalf("%v", got)
	}
}

func TestAgesSurviveAClockThatGoesBack(t *testing.T) {
	table, clock, conns := populate(t)
	clock.advance(-time.Hour)
	conns[0].Touch(handle(1))
	for _, s := range table.Snapshot() {
		if s.Idle < 0 || s.Age < 0 {
			t.Fatalf("%+v", s)
		}
	}
}

func TestTableHasAClockByDefault(t *testing.T) {
	table := NewTable(Options{})
	session(t, joined(t, table, 1, 0, 7), handle(1))
	if age := table.Snapshot()[0].Age; age < 0 || age > time.Minute {
		t.Fatalf("age %v", age)
	}
}
