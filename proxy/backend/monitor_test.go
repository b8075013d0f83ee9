package backend

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// These tests run in a bubble with a clock of its own: waiting costs nothing and
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

func TestActiveChecksComeAtOnceAndThenAtTheInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, start := newWorld(), time.Now()
		run(t, w.set(Options{Prober: w.probe, Interval: 10 * time.Second}))
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if !w.probes[0].Equal(start) {
			t.Errorf("the first check was %v late", w.probes[0].Sub(start))
		}
		apart := map[time.Duration]bool{}
		for i := range w.probes[1:] {
			d := w.probes[i+1].Sub(w.probes[i])
			if apart[d] = true; d < 9*time.Second || d > 11*time.Second {
				t.Errorf("checks %v apart", d)
			}
		}
		if len(w.probes) < 54 || len(apart) < 2 {
			t.Errorf("%d checks, %d distances", len(w.probes), len(apart))
		}
		if len(w.kinds()) != 0 {
			t.Errorf("told %v of a domain controller that is well", w.kinds())
		}
	})
}

func TestActiveChecksDecideWhetherItServes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		s := w.set(Options{Prober: w.probe})
		run(t, s)
		synctest.Wait()
		w.becomes(alive, bad)
		time.Sleep(21 * time.Second) // two or three checks, the first of them good
		wantState(t, s, Serving)
		time.Sleep(12 * time.Second)
		wantState(t, s, NotServing)
		w.becomes(alive, good)
		time.Sleep(23 * time.Second)
		wantState(t, s, Serving)
		wantEvents(t, w, "dc.down not_serving", "dc.up")
		if reason := w.events[0].Reason; reason != bad.Err {
			t.Errorf("reason %q", reason)
		}
		if r, ok := s.All()[0].LastProbe(); !ok || r != good {
			t.Errorf("the last check is %+v, %v", r, ok)
		}
		if len(w.silences()) != 0 {
			t.Error("a host that answers was reported as silent")
		}
	})
}

func TestRefusalByTheLimitIsAGoodCheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		s := w.set(Options{Prober: w.probe})
		run(t, s)
		w.becomes(alive, limited)
		time.Sleep(time.Hour)
		wantState(t, s, Serving)
		w.becomes(alive, bad)
		time.Sleep(time.Minute)
		wantState(t, s, NotServing)
		w.becomes(alive, limited)
		time.Sleep(time.Minute)
		wantState(t, s, Serving)
	})
}

// The host has gone without a word: nobody's connection to it ends by itself.
func TestSilentHostIsReportedAsLongAsItIsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		s := w.set(Options{Prober: w.probe})
		run(t, s)
		time.Sleep(time.Minute)
		w.becomes(dead, gone)
		died := time.Now()
		for s.All()[0].State() != Unreachable {
			time.Sleep(100 * time.Millisecond)
		}
		synctest.Wait()
		// One interval until the next check; three connects of two seconds.
		if d := time.Since(died); d > 18*time.Second {
			t.Errorf("noticed after %v", d)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		silences := w.silences()
		if len(silences) < 5 {
			t.Errorf("reported %d times in a minute", len(silences))
		}
		for _, d := range silences {
			if d < 6*time.Second || d > 10*time.Second {
				t.Errorf("silent for %v", d)
			}
		}
		w.becomes(alive, good)
		back := time.Now()
		for s.All()[0].State() != Serving {
			time.Sleep(100 * time.Millisecond)
		}
		if d := time.Since(back); d > 4*time.Second {
			t.Errorf("its return was noticed after %v", d)
		}
		wantEvents(t, w, "dc.down unreachable", "dc.up")
		told := len(w.silences())
		time.Sleep(time.Hour)
		synctest.Wait()
		if len(w.silences()) != told {
			t.Error("reported as silent after its return")
		}
	})
}

func TestHostThatAnswersSomethingIsNeverReportedAsSilent(t *testing.T) {
	for name, n := range map[string]fakeNet{
		"refuses":                    closed,
		"endpoint mapper alone":      {135: nil},
		"refuses at endpoint mapper": {135: errRefused},
		"NSPI refuses, rest silent":  {7: errRefused},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				s := w.set(Options{Prober: w.probe})
				run(t, s)
				w.becomes(n, gone)
				dc := s.All()[0]
				for range 60 {
					dc.DialFailed(7, true) // whatever clients see
					time.Sleep(time.Second)
				}
				wantState(t, s, Unreachable)
				wantEvents(t, w, "dc.down unreachable")
				if len(w.silences()) != 0 {
					t.Error("reported as silent")
				}
			})
		})
	}
}

// The endpoint mapper hangs, so that the check of NSPI cannot even connect.
func TestEndpointMapperThatHangsIsNotADeadHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		s := w.set(Options{Prober: w.probe})
		run(t, s)
		w.becomes(fakeNet{7: nil}, gone)
		time.Sleep(time.Hour)
		wantState(t, s, NotServing)
		wantEvents(t, w, "dc.down not_serving")
		if len(w.silences()) != 0 {
			t.Error("reported as silent")
		}
	})
}

func TestWithoutActiveChecksOnlyDoubtMakesItConnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		s := w.set(Options{})
		run(t, s)
		dc := s.All()[0]
		time.Sleep(time.Hour)
		if w.dialled() != 0 {
			t.Fatalf("%d connects", w.dialled())
		}
		dc.DialFailed(7, false) // one client's bad luck
		time.Sleep(time.Hour)
		if w.dialled() != 1 {
			t.Fatalf("%d connects", w.dialled())
		}
		w.becomes(closed, gone)
		dc.DialFailed(7, false)
		time.Sleep(1100 * time.Millisecond) // checks at 0 and 1 s
		wantState(t, s, Unreachable)
		w.becomes(alive, good)
		time.Sleep(2 * time.Second)
		wantState(t, s, Serving)
		n := w.dialled()
		time.Sleep(time.Hour)
		if w.dialled() > n+1 {
			t.Errorf("%d connects to one that is back", w.dialled()-n)
		}
		wantEvents(t, w, "dc.down unreachable", "dc.up")
	})
}

func TestFailuresOfClientsCountByThemselves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		s := w.set(Options{})
		run(t, s)
		synctest.Wait()
		dc := s.All()[0]
		for _, port := range []uint16{135, 88, 135, 88} { // not what the state is about
			dc.DialFailed(port, false)
		}
		dc.DialFailed(7, false)
		dc.DialFailed(7, false)
		dc.DialOK(7)
		dc.DialFailed(7, false)
		dc.DialFailed(7, false)
		dc.DialOK(135)
		if dc.State() != Serving {
			t.Fatal(dc.State())
		}
		dc.DialFailed(7, false)
		if dc.State() != Unreachable {
			t.Fatal(dc.State())
		}
		dc.DialOK(7)
		dc.DialOK(135)
		if dc.State() != Unreachable {
			t.Fatal(dc.State())
		}
		dc.DialOK(7)
		if dc.State() != Serving {
			t.Fatal(dc.State())
		}
	})
}

// Clients that fail by the thousand do not make the proxy knock by the thousand.
func TestDoubtsAreCheckedNoFasterThanAnybodyNeeds(t *testing.T) {
	for name, n := range map[string]fakeNet{"up": alive, "down": closed} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				s := w.set(Options{Prober: w.probe})
				run(t, s)
				w.becomes(n, good)
				dc := s.All()[0]
				for range 10_000 {
					dc.DialFailed(9, false)
					dc.DialOK(9)
					time.Sleep(time.Millisecond)
				}
				if got := w.dialled(); got > 60 || got < 8 {
					t.Errorf("%d connects in 10 s", got)
				}
				if len(w.probes) < 1 {
					t.Error("no active check in 10 s")
				}
			})
		})
	}
}

func TestDomainControllerComesBackAsTheCheckSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		s := w.set(Options{Prober: w.probe})
		run(t, s)
		time.Sleep(time.Second)
		w.becomes(dead, gone)
		time.Sleep(time.Minute)
		wantState(t, s, Unreachable)
		w.becomes(alive, bad) // the host is up, its services are not
		time.Sleep(5 * time.Second)
		wantState(t, s, NotServing)
		w.becomes(alive, good)
		time.Sleep(23 * time.Second)
		wantState(t, s, Serving)
		wantEvents(t, w, "dc.down unreachable", "dc.down not_serving", "dc.up")
	})
}

// A machine without free ports knows nothing about anybody.
func TestFailuresOfThisMachineAreNobodysFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		s := w.set(Options{})
		run(t, s)
		local := dialError(fmt.Errorf("too many open files"))
		w.becomes(fakeNet{7: local, 135: local}, gone)
		synctest.Wait()
		s.All()[0].DialFailed(7, true)
		time.Sleep(time.Hour)
		wantState(t, s, Serving)
		wantEvents(t, w)
	})
}

func TestActiveChecksRunAFewAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		now, most, seen := 0, 0, map[string]int{}
		o := Options{Timeout: 3 * time.Second, Prober: func(ctx context.Context, c Target) Result {
			mu.Lock()
			now++
			most = max(most, now)
			seen[c.Name]++
			mu.Unlock()
			<-ctx.Done() // as slow as it may be
			mu.Lock()
			now--
			mu.Unlock()
			return bad
		}}
		for i := range 3 * maxProbes {
			o.Backends = append(o.Backends, Backend{Name: fmt.Sprint(i), Address: netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}), NSPIPort: 7})
		}
		w := newWorld()
		run(t, w.set(o))
		time.Sleep(10 * time.Second)
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		if most != maxProbes || len(seen) != 3*maxProbes {
			t.Errorf("at most %d at once, %d of %d checked", most, len(seen), 3*maxProbes)
		}
	})
}

// The bubble fails if a goroutine is left when the set has ended.
func TestRunEndsInTheMiddleOfEverything(t *testing.T) {
	for at := range 30 {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld()
			s := w.set(Options{Interval: time.Second, Prober: func(ctx context.Context, c Target) Result {
				select {
				case <-ctx.Done():
				case <-time.After(700 * time.Millisecond):
				}
				return w.probe(ctx, c)
			}})
			stop := run(t, s)
			time.Sleep(time.Second)
			w.becomes(dead, gone)
			time.Sleep(time.Duration(at) * 500 * time.Millisecond)
			end := time.Now()
			stop()
			if d := time.Since(end); d != 0 {
				t.Errorf("took %v to end", d)
			}
			if got := s.All()[0].State(); got != Serving {
				t.Errorf("%v, though nobody looks any more", got)
			}
		})
	}
}
