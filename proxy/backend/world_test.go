package backend

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Tests with a world run in a bubble with a clock of its own: waiting costs nothing and
// takes exactly as long as it says. Ports of NSPI are fixed, so that nobody asks
// an endpoint mapper.

// world is one domain controller at 10.0.0.1, NSPI on port 7, and what happens
// to those who check it.
type world struct {
	*diary
	mu     sync.Mutex
	net    fakeNet
	result Result
	probes []time.Time
	dials  int // to NSPI
}

func newWorld() *world {
	return &world{diary: &diary{}, net: fakeNet{7: nil, 135: nil}, result: Result{Reachable: true, Serving: true}}
}

func (w *world) set(o Options) *Set {
	if o.Backends == nil {
		o.Backends = []Backend{{Name: "dc1", Address: netip.MustParseAddr("10.0.0.1"), NSPIPort: 7}}
	}
	s := New(w.into(o))
	s.dial = w.dial
	return s
}

func (w *world) dial(ctx context.Context, addr netip.AddrPort) error {
	w.mu.Lock()
	n := fakeNet{}
	for port, err := range w.net {
		n[port] = err
	}
	if addr.Port() == 7 {
		w.dials++
	}
	w.mu.Unlock()
	return n.dial(ctx, addr)
}

func (w *world) probe(context.Context, Target) Result {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.probes = append(w.probes, time.Now())
	return w.result
}

// dialled returns how often NSPI has been connected to.
func (w *world) dialled() int {
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.dials
}

// becomes changes the world.
func (w *world) becomes(n fakeNet, r Result) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.net, w.result = n, r
}

var (
	good    = Result{Reachable: true, Serving: true}
	bad     = Result{Reachable: true, Err: "NspiBind: fault"}
	limited = Result{Reachable: true, Limited: true, Err: "MAPI_E_LOGON_FAILED"}
	gone    = Result{Err: "cannot connect"}
	alive   = fakeNet{7: nil, 135: nil}
	dead    = fakeNet{} // nothing answers
	closed  = fakeNet{7: errRefused, 135: errRefused}
)

func wantState(t *testing.T, s *Set, want State) {
	t.Helper()
	synctest.Wait()
	if got := s.All()[0].State(); got != want {
		t.Fatalf("state %v, want %v", got, want)
	}
}

func wantEvents(t *testing.T, w *world, want ...string) {
	t.Helper()
	synctest.Wait()
	if got := w.kinds(); !slices.Equal(got, want) {
		t.Fatalf("events %q, want %q", got, want)
	}
}
