package halfopen

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

// leave makes a file with connections of an earlier run, from ports 1 to n.
func leave(t *testing.T, n int) *File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "connections")
	f, err := Open(path, n)
	if err != nil {
		t.Fatal(err)
	}
	for port := 1; port <= n; port++ {
		f.Put(Connection{Local: netip.AddrPortFrom(netip.MustParseAddr("10.0.0.1"), uint16(port)), Server: netip.MustParseAddrPort("10.0.5.11:135")})
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if f, err = Open(path, n); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func TestWhatIsFoundIsEndedAndReported(t *testing.T) {
	answers := map[uint16][]error{
		1: {nil},
		2: {fmt.Errorf("connect: %w", syscall.ECONNREFUSED)},
		3: {os.ErrDeadlineExceeded, nil},
		4: {os.ErrDeadlineExceeded, os.ErrDeadlineExceeded, syscall.ECONNREFUSED},
		5: {os.ErrDeadlineExceeded, os.ErrDeadlineExceeded, os.ErrDeadlineExceeded},
		6: {syscall.EHOSTUNREACH, syscall.EHOSTUNREACH, syscall.EHOSTUNREACH},
		7: {syscall.EADDRINUSE},
		8: {syscall.EADDRNOTAVAIL},
		9: nil,
	}
	f := leave(t, len(answers))
	var mu sync.Mutex
	connect := func(_ context.Context, c Connection) error {
		mu.Lock()
		defer mu.Unlock()
		next := answers[c.Local.Port()]
		if len(next) == 0 {
			t.Errorf("one connect too many for %v", c)
			return nil
		}
		answers[c.Local.Port()] = next[1:]
		return next[0]
	}
	r := f.finish(t.Context(), func(c Connection) bool { return c.Local.Port() == 9 }, connect)
	if want := (Report{Ended: 4, Unknown: 2, Passed: 3}); r != want {
		t.Errorf("report %+v, want %+v", r, want)
	}
	for port, more := range answers {
		if len(more) > 0 {
			t.Errorf("port %d: connects are missing for %v", port, more)
		}
	}
	// The servers of two have not answered. One does so later.
	answers[5], answers[6] = []error{syscall.ECONNREFUSED}, []error{syscall.EHOSTUNREACH, syscall.EHOSTUNREACH, syscall.EHOSTUNREACH}
	r = f.finish(t.Context(), func(Connection) bool { return false }, connect)
	if want := (Report{Ended: 1, Unknown: 1}); r != want {
		t.Errorf("report %+v, want %+v", r, want)
	}
	free := len(f.free)
	if f.Forget(); len(f.free) != free+1 || len(f.left) != 0 {
		t.Errorf("%d records are free, and were %d", len(f.free), free)
	}
}

// A server does not get thousands of connections at once.
func TestServersAreNotFlooded(t *testing.T) {
	f := leave(t, 100)
	began := time.Now()
	f.finish(t.Context(), func(Connection) bool { return false }, func(context.Context, Connection) error { return nil })
	if took := time.Since(began); took < 90*connectPause {
		t.Errorf("100 connects in %v", took)
	}
}

func TestWhatWasNotLookedForStaysInTheFile(t *testing.T) {
	f := leave(t, 3*parallel)
	ctx, cancel := context.WithCancel(t.Context())
	var once sync.Once
	r := f.finish(ctx, func(Connection) bool { return false }, func(ctx context.Context, _ Connection) error {
		once.Do(cancel)
		<-ctx.Done()
		return ctx.Err()
	})
	if r != (Report{}) || len(f.left) != 3*parallel {
		t.Errorf("report %+v, %d are left", r, len(f.left))
	}
}
