package proxy

import (
	"net/netip"
	"testing"
	"time"
)

// fakeHost is a host with connections, from which something may come.
type fakeHost struct {
	t      *testing.T
	now    time.Time
	heard  time.Time // when something came last on any connection
	conns  int
	asking bool
	closed time.Duration // the silence that connections are ended for; 0: they are not
}

func (h *fakeHost) Ask(_ netip.Addr, answer func(time.Duration, int)) {
	h.asking = true
	answer(h.now.Sub(h.heard), h.conns)
}
func (h *fakeHost) StopAsking(netip.Addr)                          { h.asking = false }
func (h *fakeHost) CloseServer(_ netip.Addr, silent time.Duration) { h.closed = silent }

func TestConnectionsOfAHostThatVanishedAreEnded(t *testing.T) {
	host := netip.MustParseAddr("10.0.0.1")
	for name, tc := range map[string]struct {
		conns  int
		alive  bool          // connections that are asked answer
		row    time.Duration // that nothing answers
		rows   int
		closed bool
	}{
		"vanished":                     {3, false, 6 * time.Second, 1, true},
		"vanished, not asked for long": {3, false, 3 * time.Second, 1, false},
		"vanished, asked at last":      {3, false, 3 * time.Second, 2, true},
		"slow to take new connections": {3, true, 6 * time.Second, 20, false},
		"vanished, and no connections": {0, false, 6 * time.Second, 20, false},
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Unix(1000, 0)
			h := &fakeHost{t: t, now: start, heard: start.Add(-time.Hour), conns: tc.conns} // idle for an hour
			given := 0
			v := newVanished(h, func(netip.Addr) { given++ })
			v.now = func() time.Time { return h.now }
			for range tc.rows {
				v.checked(host, false)
				h.now = h.now.Add(tc.row)
				if tc.alive {
					h.heard = h.now.Add(-2 * time.Second)
				}
				v.judge(host)
			}
			if (h.closed > 0) != tc.closed || h.closed > time.Duration(tc.rows)*tc.row {
				t.Errorf("ended for a silence of %v, want %t", h.closed, tc.closed)
			}
			if (given > 0) != tc.closed {
				t.Errorf("given up %d times", given)
			}
			if !h.asking {
				t.Error("not asked")
			}
			v.checked(host, true)
			if h.asking {
				t.Error("they are still asked")
			}
			h.closed = 0
			if v.judge(host); h.closed > 0 {
				t.Error("an earlier suspicion counts")
			}
		})
	}
}
