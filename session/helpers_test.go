package session

import (
	"net/netip"
	"testing"
	"time"
)

// clock is the hand that tests move.
type clock struct{ t time.Time }

func newClock() *clock                   { return &clock{time.Unix(1_700_000_000, 0)} }
func (c *clock) now() time.Time          { return c.t }
func (c *clock) advance(d time.Duration) { c.t = c.t.Add(d) }

const (
	scope    = "site"
	backend  = "dc1"
	endpoint = "10.0.0.1:6004"
)

func account(name string) Identity {
	return Identity{Assurance: AssuranceClaimed, Account: Account{"LAB", name}}
}

func address(client netip.Addr) Identity {
	return Identity{Assurance: AssuranceAddress, Address: client}
}

// addrPort is the nth client.
func addrPort(n byte) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, 0, n}), 40000)
}

// handle is the nth context handle; handle(0) is the NULL handle.
func handle(n byte) (h Handle) {
	h[4], h[19] = n, n
	return h
}

func newTable() (*Table, *clock) {
	c := newClock()
	return NewTable(Options{Now: c.now}), c
}

// joined opens a connection of client n whose bind (asking for asked) is
// answered with granted.
func joined(t testing.TB, table *Table, n byte, asked, granted uint32) *Conn {
	t.Helper()
	c := table.Open(addrPort(n), scope, backend, endpoint)
	if err := c.MayJoin(asked); err != nil {
		t.Fatalf("MayJoin(%d): %v", asked, err)
	}
	if err := c.Join(granted); err != nil {
		t.Fatalf("Join(%d): %v", granted, err)
	}
	return c
}

// proven and claim are requests of anna with a limit.
func proven(limit int) ReserveRequest {
	return ReserveRequest{User: account("anna"), Limit: limit, Proven: true}
}

func claim(limit int, wake func()) ReserveRequest {
	return ReserveRequest{User: account("anna"), Limit: limit, Wake: wake}
}

// mustReserve reserves or fails the test.
func mustReserve(t testing.TB, c *Conn, r ReserveRequest) *Slot {
	t.Helper()
	s, used, outcome := c.Reserve(r)
	if outcome != Reserved || s == nil {
		t.Fatalf("Reserve: %v at %+v", outcome, used)
	}
	return s
}

// expectOutcome asks and releases nothing.
func expectOutcome(t testing.TB, c *Conn, r ReserveRequest, want Outcome) *Slot {
	t.Helper()
	s, used, outcome := c.Reserve(r)
	if outcome != want {
		t.Fatalf("Reserve: %v at %+v, want %v", outcome, used, want)
	}
	return s
}

// session opens a session of anna.
func session(t testing.TB, c *Conn, h Handle) *Slot {
	t.Helper()
	s := mustReserve(t, c, proven(-1))
	s.Commit(h)
	return s
}

// expectHeld checks the number of live sessions, in all places that know it.
func expectHeld(t testing.TB, table *Table, want int) {
	t.Helper()
	n := table.Count()
	if n.Sessions != want || len(table.Snapshot()) != want {
		t.Fatalf("%d sessions, %d listed, want %d", n.Sessions, len(table.Snapshot()), want)
	}
	if n.Binds != n.Unbinds+n.RunDown+n.LostByServer+uint64(n.Sessions) {
		t.Fatalf("sessions do not add up: %+v", n)
	}
}

// wakes counts the calls of its Wake function.
type wakes struct{ n int }

func (w *wakes) wake() { w.n++ }

func (w *wakes) expect(t testing.TB, want int) {
	t.Helper()
	if w.n != want {
		t.Fatalf("woken %d times, want %d", w.n, want)
	}
}

// addrPortMapped is the nth client as an IPv4-mapped IPv6 address.
func addrPortMapped(n byte) netip.AddrPort {
	a := addrPort(n)
	return netip.AddrPortFrom(netip.AddrFrom16(a.Addr().As16()), a.Port())
}
