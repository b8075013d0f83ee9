package session

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"runtime"
	"testing"
	"time"
	"unsafe"
)

const million = 1_000_000

// nthUser is one of many users, with a SID as long as real ones are.
func nthUser(n int) Identity {
	return Identity{Assurance: AssuranceVerified, SID: fmt.Sprintf("S-1-5-21-3623811015-3361044348-30300820-%d", 1000+n)}
}

func nthHandle(n int) (h Handle) {
	binary.LittleEndian.PutUint64(h[4:], uint64(n)*0x9e3779b97f4a7c15+1)
	return h
}

// fill gives table a million sessions of users, spread over conns.
func fill(tb testing.TB, table *Table, conns []*Conn, users []Identity) {
	tb.Helper()
	for n := range million {
		r := ReserveRequest{User: users[n%len(users)], Limit: -1, Proven: true}
		mustReserve(tb, conns[n%len(conns)], r).Commit(nthHandle(n))
	}
}

func openConns(tb testing.TB, table *Table, n int) []*Conn {
	conns := make([]*Conn, n)
	for i := range conns {
		client := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 40000)
		conns[i] = table.Open(client, scope, backend, endpoint)
		if err := conns[i].Join(uint32(i + 1)); err != nil {
			tb.Fatal(err)
		}
	}
	return conns
}

func nUsers(n int) []Identity {
	users := make([]Identity, n)
	for i := range users {
		users[i] = nthUser(i)
	}
	return users
}

// BenchmarkAmongAMillion is one bind, its answer and its end while a million
// other sessions live. "leak": one client goes on binding. "scattered": another
// user on another connection each time, so that nothing is in a cache.
func BenchmarkAmongAMillion(b *testing.B) {
	table := NewTable(Options{Now: time.Now})
	conns, users := openConns(b, table, 20_000), nUsers(20_000)
	fill(b, table, conns, users)
	request := ReserveRequest{Limit: million, Proven: true}
	steps := map[string]int{"leak": 0, "scattered": 7919}
	for name, step := range steps {
		b.Run("granted/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				i := n * step % len(conns)
				request.User = users[i]
				s, _, _ := conns[i].Reserve(request)
				s.Commit(nthHandle(million + n))
				conns[i].Unbound(nthHandle(million + n))
			}
		})
		b.Run("failed/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				i := n * step % len(conns)
				request.User = users[i]
				s, _, _ := conns[i].Reserve(request)
				s.Release()
			}
		})
		b.Run("refused/"+name, func(b *testing.B) {
			b.ReportAllocs()
			refused := request
			refused.Limit = 10
			for n := 0; b.Loop(); n++ {
				i := n * step % len(conns)
				refused.User = users[i]
				conns[i].Reserve(refused)
			}
		})
	}
}

func BenchmarkSessionAlone(b *testing.B) {
	table := NewTable(Options{Now: time.Now})
	c, user, h := openConns(b, table, 1)[0], nthUser(1), nthHandle(1)
	b.ReportAllocs()
	for b.Loop() {
		s, _, _ := c.Reserve(ReserveRequest{User: user, Limit: 50, Proven: true})
		s.Commit(h)
		c.Unbound(h)
	}
}

// BenchmarkSessionContended is the same from all cores on one user.
func BenchmarkSessionContended(b *testing.B) {
	table := NewTable(Options{Now: time.Now})
	user := nthUser(1)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		c := table.Open(addrPort(1), scope, backend, endpoint)
		defer c.Close()
		for pb.Next() {
			s, _, _ := c.Reserve(ReserveRequest{User: user, Limit: million, Proven: true})
			s.Commit(nthHandle(1))
			c.Unbound(nthHandle(1))
		}
	})
}

func BenchmarkTouch(b *testing.B) {
	table := NewTable(Options{Now: time.Now})
	c := openConns(b, table, 1)[0]
	session(b, c, handle(1))
	b.ReportAllocs()
	for b.Loop() {
		c.Touch(handle(1))
	}
}

// BenchmarkMemory reports what a session costs beyond its connection: many on
// one connection, and one on each (which adds an association).
func BenchmarkMemory(b *testing.B) {
	for _, per := range []int{50, 1} {
		b.Run(fmt.Sprintf("%dPerConnection", per), func(b *testing.B) {
			for b.Loop() {
				table := NewTable(Options{Now: time.Now})
				users := nUsers(million / 50)
				empty := heap()
				conns := openConns(b, table, million/per)
				idle := heap()
				fill(b, table, conns, users)
				full := heap()
				b.ReportMetric(float64(full-idle)/million, "B/session")
				b.ReportMetric(float64(idle-empty)/float64(len(conns)), "B/connection")
				runtime.KeepAlive(table)
				runtime.KeepAlive(conns)
				runtime.KeepAlive(users)
			}
		})
	}
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkEndOfALeak closes the connection of a client that leaked 100,000
// sessions; other connections wait for rundownBatch of them at most.
func BenchmarkEndOfALeak(b *testing.B) {
	const leaked = 100_000
	for b.Loop() {
		b.StopTimer()
		table := NewTable(Options{Now: time.Now})
		c := openConns(b, table, 1)[0]
		for n := range leaked {
			s, _, _ := c.Reserve(ReserveRequest{User: nthUser(1), Limit: -1, Proven: true})
			s.Commit(nthHandle(n))
		}
		b.StartTimer()
		c.Close()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/leaked, "ns/session")
}

func TestSlotFitsItsSizeClass(t *testing.T) {
	if size := unsafe.Sizeof(Slot{}); size > 128 {
		t.Fatalf("a slot has %d bytes; beyond 128 the runtime spends 144", size)
	}
}

// TestSessionAllocatesItsSlotOnly pins what the hot path allocates.
func TestSessionAllocatesItsSlotOnly(t *testing.T) {
	table := NewTable(Options{Now: time.Now})
	c := openConns(t, table, 1)[0]
	session(t, c, handle(9)) // a user that stays
	user, h := account("anna"), handle(1)
	n := testing.AllocsPerRun(1000, func() {
		s, _, _ := c.Reserve(ReserveRequest{User: user, Limit: 50, Proven: true})
		s.Commit(h)
		c.Touch(h)
		c.Unbound(h)
	})
	if n > 1 {
		t.Fatalf("%v allocations, want 1", n)
	}
}
