package session

import (
	"encoding/binary"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const (
	workers = 64
	rounds  = 60
)

// together runs work for every worker at the same time.
func together(work func(id int, r *rand.Rand)) {
	var group sync.WaitGroup
	for id := range workers {
		group.Go(func() { work(id, rand.New(rand.NewPCG(1, uint64(id)))) })
	}
	group.Wait()
}

// blockingReserve waits as a relay does, and fails the test if nobody wakes it.
func blockingReserve(t *testing.T, c *Conn, r ReserveRequest) (*Slot, Outcome) {
	woken := make(chan struct{}, 1)
	r.Wake = func() { woken <- struct{}{} }
	for {
		s, _, outcome := c.Reserve(r)
		if outcome != Wait {
			return s, outcome
		}
		select {
		case <-woken:
		case <-time.After(10 * time.Second):
			t.Error("never woken")
			return nil, Refused
		}
	}
}

func expectEmpty(t *testing.T, table *Table) {
	t.Helper()
	n := table.Count()
	if n.Connections+n.Associations+n.Users+n.Clients+n.Sessions+n.Opaque+n.Reserved+n.Provisional+n.Waiting != 0 {
		t.Errorf("left behind: %+v", n)
	}
	if table.Load(backend) != (Load{}) {
		t.Errorf("load left behind: %+v", table.Load(backend))
	}
	if n.Binds != n.Unbinds+n.RunDown+n.LostByServer {
		t.Errorf("sessions do not add up: %+v", n)
	}
	if len(table.controllers)+len(table.held)+len(table.contended)+len(table.wakes) != 0 {
		t.Error("records left behind")
	}
}

// TestLimitIsNeverExceeded mixes claims and proven requests of one user. The
// test counts for itself what the domain controller may have granted.
func TestLimitIsNeverExceeded(t *testing.T) {
	table, _ := newTable() // its clock stands still: no claim is given up
	const limit = 5
	var live, granted, refused atomic.Int64
	together(func(id int, r *rand.Rand) {
		for range rounds {
			c := joined(t, table, byte(id), 0, 0)
			for n := range 4 {
				request := claim(limit, nil)
				request.Proven = n > 0 && r.IntN(2) == 0
				s, outcome := blockingReserve(t, c, request)
				if outcome != Reserved {
					refused.Add(1)
					continue
				}
				if now := live.Add(1); now > limit {
					t.Errorf("%d slots, limit %d", now, limit)
				}
				granted.Add(1)
				if r.IntN(3) == 0 {
					s.Prove()
				}
				if r.IntN(2) == 0 {
					live.Add(-1)
					s.Release()
					continue
				}
				s.Commit(handle(byte(n + 1)))
				runtime.Gosched() // or a machine with few processors would run one goroutine after the other
				live.Add(-1)
				if !c.Unbound(handle(byte(n + 1))) {
					t.Error("lost a session")
				}
			}
			c.Close()
		}
	})
	if granted.Load() == 0 || refused.Load() == 0 {
		t.Errorf("granted %d, refused %d: nothing was contended", granted.Load(), refused.Load())
	}
	expectEmpty(t, table)
}

// TestCloseRacesWithAnswers closes connections while their answers, unbinds and
// further requests arrive on other goroutines.
func TestCloseRacesWithAnswers(t *testing.T) {
	table, _ := newTable()
	stop := make(chan struct{})
	var lister sync.WaitGroup
	lister.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				table.Users()
				table.Clients()
				table.Snapshot()
				table.Load(backend)
				table.Expire()
			}
		}
	})
	together(func(id int, r *rand.Rand) {
		for range rounds {
			c := joined(t, table, byte(id), 0, 0)
			closeWhileAnswered(c, r)
		}
	})
	close(stop)
	lister.Wait()
	expectEmpty(t, table)
}

func closeWhileAnswered(c *Conn, r *rand.Rand) {
	var slots []*Slot
	for n := range 6 {
		request := claim(3, func() {})
		request.Proven = n%2 == 0
		if s, _, outcome := c.Reserve(request); outcome == Reserved {
			slots = append(slots, s)
		}
	}
	delay := time.Duration(r.IntN(20)) * time.Microsecond
	var group sync.WaitGroup
	group.Go(func() {
		for n, s := range slots {
			s.Commit(handle(byte(n)))
			c.Touch(handle(byte(n)))
		}
	})
	group.Go(func() {
		for n, s := range slots {
			c.Unbound(handle(byte(n)))
			s.Release()
			s.CommitOpaque()
		}
	})
	group.Go(func() {
		c.Reserve(claim(3, func() {}))
		time.Sleep(delay)
		c.Close()
	})
	group.Wait()
}

// TestAssociationsRace lets connections of few associations come and go, some
// of them under an id that is given anew.
func TestAssociationsRace(t *testing.T) {
	table, _ := newTable()
	var serial atomic.Uint32
	together(func(id int, r *rand.Rand) {
		for range rounds {
			c := table.Open(addrPort(byte(id%2)), scope, backend, endpoint)
			group := uint32(r.IntN(4))
			asked := group * uint32(r.IntN(2))
			if c.MayJoin(asked) == nil && c.Join(group) == nil {
				var h Handle
				binary.LittleEndian.PutUint32(h[4:], serial.Add(1))
				if s, _, outcome := c.Reserve(proven(-1)); outcome == Reserved {
					s.Commit(h)
				}
				if r.IntN(2) == 0 {
					c.Unbound(h)
				}
			}
			c.Close()
		}
	})
	expectEmpty(t, table)
}

// TestEveryWaiterIsWoken has more requests wait than a limit of 1 ever admits at
// once, while claims fail, hold, and get lost.
func TestEveryWaiterIsWoken(t *testing.T) {
	table, _ := newTable()
	together(func(id int, r *rand.Rand) {
		for range rounds {
			c := joined(t, table, byte(id), 0, 0)
			switch r.IntN(4) {
			case 0: // lost while it waits, or after it was woken
				c.Reserve(claim(1, func() {}))
			case 1:
				s, _, _ := c.Reserve(claim(1, func() {}))
				s.Release()
				c.Withdraw()
				fallthrough
			default:
				s, _ := blockingReserve(t, c, claim(1, nil))
				if r.IntN(2) == 0 {
					s.Commit(handle(1))
				}
			}
			c.Close()
		}
	})
	expectEmpty(t, table)
}
