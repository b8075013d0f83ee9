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

// fakeHost is a domain controller at 10.0.0.1 with NSPI on port 7: what connects
// and active checks find there.
type fakeHost struct {
	*reports
	mu     sync.Mutex
	net    fakeNet
	result Result
	probes []time.Time
	dials  int // to NSPI
}

func newFakeHost() *fakeHost {
	return &fakeHost{reports: &reports{}, net: fakeNet{7: nil, 135: nil}, result: Result{Reachable: true, Serving: true}}
}

func (w *fakeHost) set(o Options) *Set {
	if o.Backends == nil {
		o.Backends = []Backend{{Name: "dc1", Address: netip.MustParseAddr("10.0.0.1"), NSPIPort: 7}}
	}
	s := New(w.into(o))
	s.dial = w.dial
	return s
}

func (w *fakeHost) dial(ctx context.Context, addr netip.AddrPort) error {
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

func (w *fakeHost) probe(context.Context, Target) Result {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.probes = append(w.probes, time.Now())
	return w.result
}

// dialled returns how often NSPI has been connected to.
func (w *fakeHost) dialled() int {
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.dials
}

// becomes changes what is found.
func (w *fakeHost) becomes(n fakeNet, r Result) {
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

func wantEvents(t *testing.T, w *fakeHost, want ...string) {
	t.Helper()
	synctest.Wait()
	if got := w.kinds(); !slices.Equal(got, want) {
		t.Fatalf("events %q, want %q", got, want)
	}
}
