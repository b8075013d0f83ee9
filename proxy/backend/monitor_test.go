package backend

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestActiveChecksComeAtOnceAndThenAtTheInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, start := newFakeHost(), time.Now()
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
		wantEvents(t, w, "dc.up")
	})
}

func TestActiveChecksDecideWhetherItServes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFakeHost()
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
		wantEvents(t, w, "dc.up", "dc.down not_serving", "dc.up")
		if reason := w.events[1].Reason; reason != bad.Err {
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

// The host has gone without a word: nobody's connection to it ends by itself.
func TestSilentHostIsReportedAsLongAsItIsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFakeHost()
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
		wantEvents(t, w, "dc.up", "dc.down unreachable", "dc.up")
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
				w := newFakeHost()
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
		w := newFakeHost()
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

func TestDiscoveredAddressIsCheckedOnceItShowsNSPI(t *testing.T) {
	w := newFakeHost()
	s := New(w.into(Options{Prober: w.probe}))
	m := monitor{set: s, dc: s.At(netip.MustParseAddr("10.0.0.1"))}
	m.check(t.Context())
	if wait, ok := m.next(time.Now()); len(w.probes) != 0 || !ok || wait < s.o.Interval/2 {
		t.Errorf("%d checks, the next in %v", len(w.probes), wait)
	}
	m.dc.observe(observation{kind: monitoringBegun})
	m.dc.observe(observation{kind: mapperAnswered, ports: []uint16{7}})
	m.due = time.Time{}
	if m.check(t.Context()); len(w.probes) != 1 {
		t.Errorf("%d checks", len(w.probes))
	}
}

// The end of Run cancels what is under way: that shows nothing.
func TestCheckThatIsCanceledBringsNothingBack(t *testing.T) {
	for range 20 {
		synctest.Test(t, func(t *testing.T) {
			w := newFakeHost()
			hang := false
			s := w.set(Options{Rise: 1, Fall: 1, Timeout: time.Hour, Prober: func(ctx context.Context, c Target) Result {
				if hang {
					<-ctx.Done()
				}
				return w.probe(ctx, c)
			}})
			stop := run(t, s)
			time.Sleep(time.Second)
			w.becomes(dead, gone)
			s.All()[0].DialFailed(7, true)
			time.Sleep(5 * time.Second)
			wantState(t, s, Unreachable)
			hang = true
			w.becomes(alive, good)
			time.Sleep(5 * time.Second)
			stop()
			wantEvents(t, w, "dc.up", "dc.down unreachable")
		})
	}
}

// Its connects would count as well, and twice as fast.
func TestNoActiveCheckWhileConnectsFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFakeHost()
		s := w.set(Options{Fall: 1000, Prober: w.probe})
		run(t, s)
		time.Sleep(time.Second)
		w.becomes(closed, gone)
		s.All()[0].DialFailed(7, false)
		time.Sleep(time.Minute)
		if n := w.dialled(); len(w.probes) != 1 || n < 50 {
			t.Errorf("%d active checks, %d connects in a minute of failures", len(w.probes), n)
		}
		wantState(t, s, Serving)
	})
}

// It cannot be made for a reason of this machine, and says so.
func TestCheckThatCallsItServingNeedsNoConnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFakeHost()
		run(t, w.set(Options{Prober: w.probe}))
		w.becomes(alive, Result{Serving: true})
		time.Sleep(time.Minute)
		if n := w.dialled(); n != 0 {
			t.Errorf("%d connects", n)
		}
	})
}

func TestDomainControllerComesBackAsTheCheckSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFakeHost()
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
		wantEvents(t, w, "dc.up", "dc.down unreachable", "dc.down not_serving", "dc.up")
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
		w := newFakeHost()
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
			w := newFakeHost()
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
