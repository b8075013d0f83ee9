package directory

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestAnswersAreRemembered(t *testing.T) {
	s := newFakeServer(t, true, forestEntries()...)
	d := s.open(t, nil)
	if _, _, ok := d.Cached(`LAB\alice`); ok {
		t.Error("known before it was asked")
	}
	for range 3 {
		for _, account := range []string{`LAB\alice`, `lab\Alice`, `LAB\nobody`, "twin@corp.example"} {
			_, _ = ask(t, d, account)
		}
	}
	if n := len(s.asked()); n != 3 {
		t.Errorf("%d searches: %v", n, s.asked())
	}
	if _, found, ok := d.Cached(`LAB\NOBODY`); found || !ok {
		t.Errorf("nobody: found %v, known %v", found, ok)
	}
	want := Stats{Cached: 9, Found: 1, NotFound: 1, Ambiguous: 1, Connects: d.Stats().Connects}
	if got := d.Stats(); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestUnknownNameIsAskedAgainLater(t *testing.T) {
	s := newFakeServer(t, true, forestEntries()...)
	d := s.open(t, func(c *Config) { c.NegativeTTL = 20 * time.Millisecond })
	if _, err := ask(t, d, `LAB\carol`); !errors.Is(err, ErrNotFound) {
		t.Fatal(err)
	}
	s.set(func(s *fakeServer) {
		s.entries = append(s.entries, person(labBase, "carol", "", "S-1-5-21-1-2-3-1300"))
	})
	eventually(t, "the new account is found", func() bool {
		r, _ := ask(t, d, `LAB\carol`)
		return r.SID == "S-1-5-21-1-2-3-1300"
	})
}

func TestKnownNameIsAskedAgainLater(t *testing.T) {
	s := newFakeServer(t, true, forestEntries()...)
	d := s.open(t, func(c *Config) { c.PositiveTTL, c.NegativeTTL = 20*time.Millisecond, time.Millisecond })
	if r, err := ask(t, d, `LAB\bob`); err != nil || r.SID != sidBob {
		t.Fatal(r, err)
	}
	s.set(func(s *fakeServer) { s.entries[6].attributes["objectSid"] = []string{binarySID("S-1-5-21-1-2-3-1999")} })
	eventually(t, "the account of the same name is another", func() bool {
		r, _ := ask(t, d, `LAB\bob`)
		return r.SID == "S-1-5-21-1-2-3-1999"
	})
}

func TestMadeUpNamesDoNotDriveOutRealOnes(t *testing.T) {
	d := newFakeServer(t, true, forestEntries()...).open(t, func(c *Config) { c.CacheSize = 4 })
	if _, err := ask(t, d, `LAB\alice`); err != nil {
		t.Fatal(err)
	}
	for i := range 50 {
		_, _ = ask(t, d, fmt.Sprint(`LAB\made-up-`, i))
	}
	if _, found, ok := d.Cached(`LAB\alice`); !found || !ok {
		t.Error("alice is forgotten")
	}
	if n := d.cache.unknown.Len(); n > 4 {
		t.Errorf("%d unknown names are remembered", n)
	}
}

func TestOneLookupIsInFlightPerName(t *testing.T) {
	s := newFakeServer(t, true, forestEntries()...)
	s.gate = make(chan struct{})
	d := s.open(t, nil)
	var answers sync.WaitGroup
	for i := range 100 {
		answers.Add(1)
		spelling := []string{`LAB\alice`, `lab\ALICE`, `Lab\Alice`}[i%3]
		d.Resolve(spelling, func(r Result, err error) {
			defer answers.Done()
			if err != nil || r.SID != sidAlice {
				t.Errorf("%+v, %v", r, err)
			}
		})
	}
	eventually(t, "the search arrives", func() bool { return len(s.asked()) > 0 })
	close(s.gate)
	answers.Wait()
	if n := len(s.asked()); n != 1 {
		t.Errorf("%d searches", n)
	}
}

func TestQueueIsBounded(t *testing.T) {
	s := newFakeServer(t, true, forestEntries()...)
	s.gate = make(chan struct{})
	d := s.open(t, nil)
	var answers sync.WaitGroup
	var busy atomic.Int32
	const names = maxQueued + 3*workers
	start := time.Now()
	for i := range names {
		answers.Add(1)
		d.Resolve(fmt.Sprint(`LAB\user`, i), func(_ Result, err error) {
			defer answers.Done()
			switch {
			case errors.Is(err, ErrBusy) && errors.Is(err, ErrDown):
				busy.Add(1)
			case !errors.Is(err, ErrNotFound):
				t.Error(err)
			}
		})
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("Resolve waited: %v", took)
	}
	close(s.gate)
	answers.Wait()
	if n := busy.Load(); n < 2*workers || n > 3*workers {
		t.Errorf("%d of %d names were turned away", n, names)
	}
	if r, err := ask(t, d, `LAB\alice`); err != nil || r.SID != sidAlice {
		t.Errorf("afterwards: %+v, %v", r, err)
	}
}

// TestServerThatDoesNotAnswerIsWaitedForOnce: those who have asked when the time is over are answered then, those who ask
// later at once. It is asked again when it has taken a connection, and each change is told once.
func TestServerThatDoesNotAnswerIsWaitedForOnce(t *testing.T) {
	s := newFakeServer(t, true, forestEntries()...)
	gate := make(chan struct{})
	s.gate = gate
	var mu sync.Mutex
	var changes []error
	d := s.open(t, func(c *Config) {
		c.Timeout = 300 * time.Millisecond
		c.Changed = func(cause error) { mu.Lock(); defer mu.Unlock(); changes = append(changes, cause) }
	})
	var answers sync.WaitGroup
	for i := range 10 * workers {
		answers.Go(func() {
			if _, err := ask(t, d, fmt.Sprint(`LAB\user`, i)); !errors.Is(err, ErrDown) || !strings.Contains(err.Error(), "300ms") {
				t.Errorf("user%d: %v", i, err)
			}
		})
	}
	answers.Wait()
	asked := len(s.asked())
	for i := range 100 {
		answered := false
		d.Resolve(fmt.Sprint(`LAB\later`, i), func(_ Result, err error) { answered = errors.Is(err, ErrDown) })
		if !answered { // before Resolve has returned
			t.Fatal("a bind waits for a directory that is down")
		}
	}
	if n := len(s.asked()); n != asked {
		t.Errorf("it was asked %d times more", n-asked)
	}
	if _, _, ok := d.Cached(`LAB\user0`); ok {
		t.Error("that there was no answer is remembered as one")
	}
	s.set(func(s *fakeServer) { s.gate = nil })
	close(gate)
	eventually(t, "the server answers", func() bool {
		r, err := ask(t, d, `LAB\alice`)
		return err == nil && r.SID == sidAlice
	})
	mu.Lock()
	defer mu.Unlock()
	if len(changes) != 2 || !errors.Is(changes[0], ErrDown) || changes[1] != nil {
		t.Errorf("changes %v", changes)
	}
}

// TestRememberedNameIsNotWaitedFor, when it should be asked for again, and while the directory is down.
func TestRememberedNameIsNotWaitedFor(t *testing.T) {
	s := newFakeServer(t, true, forestEntries()...)
	d := s.open(t, func(c *Config) { c.PositiveTTL, c.Timeout = time.Millisecond, 100*time.Millisecond })
	if r, err := ask(t, d, `LAB\alice`); err != nil || r.SID != sidAlice {
		t.Fatal(r, err)
	}
	s.set(func(s *fakeServer) { s.gate = make(chan struct{}) })
	for range 50 {
		time.Sleep(5 * time.Millisecond)
		if r, found, ok := d.Cached(`LAB\alice`); !ok || !found || r.SID != sidAlice {
			t.Fatalf("%+v, %t, %t", r, found, ok)
		}
		known := false
		d.Resolve(`lab\ALICE`, func(r Result, err error) { known = err == nil && r.SID == sidAlice })
		if !known {
			t.Fatal("a known name is waited for")
		}
	}
	eventually(t, "the directory is found to be down", func() bool { return d.Stats().IsDown })
	s.set(func(s *fakeServer) { close(s.gate); s.gate = nil })
}

// TestAccountThatIsGoneIsForgotten at the first answer, not at the end of the day.
func TestAccountThatIsGoneIsForgotten(t *testing.T) {
	s := newFakeServer(t, true, forestEntries()...)
	d := s.open(t, func(c *Config) { c.PositiveTTL = time.Millisecond })
	if _, err := ask(t, d, `LAB\bob`); err != nil {
		t.Fatal(err)
	}
	s.set(func(s *fakeServer) { s.entries = slices.Delete(s.entries, 6, 7) })
	eventually(t, "bob is unknown", func() bool {
		_, found, ok := d.Cached(`LAB\bob`)
		return ok && !found
	})
}

func TestServerThatOnlyAcceptsIsDown(t *testing.T) {
	s := newFakeServer(t, false) // TCP, and no TLS from the first byte
	d := s.open(t, func(c *Config) {
		c.URL, c.StartTLS, c.Timeout = "ldaps://"+s.listener.Addr().String(), false, 300*time.Millisecond
	})
	if _, err := ask(t, d, "alice"); !errors.Is(err, ErrDown) {
		t.Error(err)
	}
}

func TestCallerNeedNotWait(t *testing.T) {
	s := newFakeServer(t, true, forestEntries()...)
	s.gate = make(chan struct{})
	defer close(s.gate)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(10*time.Millisecond, cancel)
	if _, err := s.open(t, nil).Lookup(ctx, `LAB\alice`); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestCloseAnswersEverybodyAndLeavesNothingBehind(t *testing.T) {
	s := newFakeServer(t, true, forestEntries()...)
	d := s.open(t, nil)
	for i := range workers {
		_, _ = ask(t, d, fmt.Sprint(`LAB\user`, i))
	}
	gate := make(chan struct{})
	s.set(func(s *fakeServer) { s.gate = gate })
	var closed, other atomic.Int32
	for i := range 50 {
		d.Resolve(fmt.Sprint(`LAB\late`, i), func(_ Result, err error) {
			if errors.Is(err, ErrClosed) && errors.Is(err, ErrDown) {
				closed.Add(1)
				return
			}
			other.Add(1)
		})
	}
	d.Close()
	if closed.Load() != 50 || other.Load() != 0 {
		t.Errorf("%d told of the end, %d of something else", closed.Load(), other.Load())
	}
	if _, err := ask(t, d, `LAB\alice`); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	d.Close() // once more does no harm
	close(gate)
	s.stop()
	var left []string
	eventually(t, "all goroutines end", func() bool { left = goroutines(); return len(left) == 0 })
	if len(left) > 0 {
		t.Errorf("left:\n%s", strings.Join(left, "\n\n"))
	}
}

// TestManyAskWhileConnectionsBreak looks for races, lost answers and answers of
// another name.
func TestManyAskWhileConnectionsBreak(t *testing.T) {
	s := newFakeServer(t, true, forestEntries()...)
	d := s.open(t, func(c *Config) {
		c.PositiveTTL, c.NegativeTTL, c.CacheSize, c.Timeout = time.Millisecond, time.Millisecond, 2, time.Minute
	})
	accounts := map[string]string{`LAB\alice`: sidAlice, `KID\alice`: sidChildAlice, "robert@lab.example": sidBob, `LAB\nobody`: "", "host7$": sidMachine}
	var names []string
	for a := range accounts {
		names = append(names, a)
	}
	var asking sync.WaitGroup
	var right atomic.Int32
	for range 32 {
		asking.Go(func() {
			for range 40 {
				account := names[rand.IntN(len(names))]
				r, err := ask(t, d, account)
				switch {
				case errors.Is(err, ErrDown):
				case r.SID != accounts[account]:
					t.Errorf("%s: %+v, %v", account, r, err)
				default:
					right.Add(1)
				}
			}
		})
	}
	done := make(chan struct{})
	var breaking sync.WaitGroup
	breaking.Go(func() {
		for {
			select {
			case <-done:
				return
			case <-time.After(20 * time.Millisecond):
				s.set(func(s *fakeServer) { s.hangUp = 1 })
			}
		}
	})
	asking.Wait()
	close(done)
	breaking.Wait()
	if right.Load() == 0 {
		t.Error("no right answer")
	}
	t.Logf("%d right answers, %+v", right.Load(), d.Stats())
}

func BenchmarkCached(b *testing.B) {
	d := newFakeServer(b, true, forestEntries()...).open(b, nil)
	if _, err := ask(b, d, `LAB\alice`); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, found, ok := d.Cached(`LAB\alice`); !found || !ok {
			b.Fatal("forgotten")
		}
	}
}

// BenchmarkLookup is one question and its answer over TLS on loopback.
func BenchmarkLookup(b *testing.B) {
	d := newFakeServer(b, true, forestEntries()...).open(b, nil)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := ask(b, d, fmt.Sprint(`LAB\user`, i)); !errors.Is(err, ErrNotFound) {
			b.Fatal(err)
		}
	}
}
