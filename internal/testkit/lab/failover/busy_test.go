//go:build lab

package failover

import (
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/internal/testkit/lab"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

// TestFailoverOfBusyClientsLeavesNothing: clients bind, unbind and reconnect without a pause while the routers change places,
// and back. When they hold still, the domain controller has what both proxies count, and in the end nobody has anything.
func TestFailoverOfBusyClientsLeavesNothing(t *testing.T) {
	for _, mode := range []string{"tproxy", "redirect"} {
		t.Run(mode, func(t *testing.T) {
			s := start(t, func(config string) string { return strings.ReplaceAll(config, "mode: tproxy", "mode: "+mode) }, quick)
			b := s.beBusy(t)
			b.work100(t)
			for n := range 2 {
				s.change(t, n)
				b.work100(t)
			}
			b.stop()
			s.agree(t)
			b.closeAll()
			s.settled(t, 0, 0, 0)
			t.Logf("%d binds, %d connections were lost", b.binds.Load(), b.lost.Load())
		})
	}
}

// change has the first router leave the path (0), or come back (1).
func (s *stage) change(t *testing.T, n int) {
	t.Helper()
	if n == 0 {
		s.routers[0].keepalived.Terminate()
		s.awaitMaster(t, 1)
		return
	}
	s.routers[0].keepalived.Stop(t, lab.StopTime)
	s.routers[0].begin(t)
	s.awaitMaster(t, 0)
}

// agree waits until the domain controller has what both proxies count.
func (s *stage) agree(t *testing.T) {
	t.Helper()
	var got [3]int
	defer func() { t.Logf("sessions on the domain controller and both proxies: %v", got) }()
	lab.Eventually(t, lab.SettleTime, "the domain controller and both proxies agree", func() bool {
		got = [3]int{s.dc.Count(t).Sessions, s.routers[0].held(t), s.routers[1].held(t)}
		return got[0] == got[1]+got[2]
	})
}

// busy is clients that never rest.
type busy struct {
	dc      *lab.DC
	stopped atomic.Bool
	all     sync.WaitGroup
	binds   atomic.Int64
	lost    atomic.Int64 // connections

	mu   sync.Mutex
	open []*lab.Conn // at the end
}

func (s *stage) beBusy(t *testing.T) *busy {
	b := &busy{dc: s.dc}
	port, err := s.Clients[0].MapPort(s.dc.Address)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range s.Clients {
		for _, f := range lab.Families {
			for range 2 {
				b.all.Go(func() { b.run(m, netip.AddrPortFrom(f.Of(s.DCs[0]), port)) })
			}
		}
	}
	t.Cleanup(b.stop)
	return b
}

// work100 waits until a hundred binds were answered.
func (b *busy) work100(t *testing.T) {
	t.Helper()
	before := b.binds.Load()
	lab.Eventually(t, lab.SettleTime, "clients work", func() bool { return b.binds.Load() > before+100 })
}

// run works until it is stopped, on one connection after the other.
func (b *busy) run(m *lab.Machine, to netip.AddrPort) {
	for !b.stopped.Load() {
		tcp, err := m.Dial(to.String(), netip.Addr{})
		if err != nil {
			continue
		}
		c := lab.NewConn(tcp)
		if c.Timeout = 5 * time.Second; c.Bind(0) == nil && b.work(c) {
			b.mu.Lock()
			b.open = append(b.open, c)
			b.mu.Unlock()
			return
		}
		b.lost.Add(1)
		c.Close()
	}
}

// work opens two sessions and ends one, again and again, and reports whether the connection lives.
func (b *busy) work(c *lab.Conn) bool {
	var held []nspi.Handle
	for !b.stopped.Load() {
		h, code, err := c.NspiBind()
		if err != nil {
			return false
		}
		b.binds.Add(1)
		if code == nspi.Success {
			held = append(held, h)
		}
		if len(held) > 1 {
			if _, err := c.NspiUnbind(held[0]); err != nil {
				return false
			}
			held = held[1:]
		}
		time.Sleep(time.Millisecond)
	}
	return true
}

func (b *busy) stop() {
	b.stopped.Store(true)
	b.all.Wait()
}

func (b *busy) closeAll() {
	for _, c := range b.open {
		c.Close()
	}
}
