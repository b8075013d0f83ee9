package backend

import (
	"fmt"
	"net/netip"
	"reflect"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestWithoutActiveChecksOnlyDoubtMakesItConnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFakeHost()
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
		wantEvents(t, w, "dc.up", "dc.down unreachable", "dc.up")
	})
}

func TestClientThatGetsThroughHastensTheReturn(t *testing.T) {
	for at := range 10 {
		synctest.Test(t, func(t *testing.T) {
			w := newFakeHost()
			s := w.set(Options{})
			run(t, s)
			w.becomes(closed, gone)
			synctest.Wait()
			dc := s.All()[0]
			dc.DialFailed(7, true)
			time.Sleep(10*time.Second + time.Duration(at)*100*time.Millisecond)
			wantState(t, s, Unreachable)
			w.becomes(alive, good)
			dc.DialOK(7)
			time.Sleep(checkGap)
			wantState(t, s, Serving)
		})
	}
}

// Clients that fail by the thousand do not make the proxy knock by the thousand.
func TestDoubtsAreCheckedNoFasterThanAnybodyNeeds(t *testing.T) {
	for name, n := range map[string]fakeNet{"up": alive, "down": closed} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newFakeHost()
				s := w.set(Options{Prober: w.probe})
				run(t, s)
				synctest.Wait() // for the first check
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

// A machine without free ports knows nothing about anybody.
func TestFailuresOfThisMachineAreNobodysFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFakeHost()
		s := w.set(Options{})
		run(t, s)
		local := dialError(fmt.Errorf("too many open files"))
		w.becomes(fakeNet{7: local, 135: local}, gone)
		synctest.Wait()
		dc := s.All()[0]
		dc.DialFailed(7, true)
		time.Sleep(time.Hour)
		wantState(t, s, Serving)
		for range 9 {
			dc.DialFailed(7, true)
		}
		time.Sleep(time.Hour)
		wantState(t, s, Unreachable)
		if len(w.silences()) != 0 {
			t.Error("reported as silent without an attempt")
		}
	})
}

func TestOneClientAtATimeTriesWhatIsBoundToFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newFakeHost()
		s := w.set(Options{Prober: w.probe})
		run(t, s)
		dc := s.Members("dc1")[0]
		w.becomes(dead, gone)
		time.Sleep(2 * time.Minute)
		wantState(t, s, Unreachable)
		dc.ClientFailed()
		tries := 0
		for range 100 { // for a hundred seconds, ten clients a second
			for range 10 {
				if dc.TryTrial() {
					tries++
				}
			}
			time.Sleep(time.Second)
		}
		if want := int(100*time.Second/trialInterval) - 1; tries < want-1 || tries > want+1 {
			t.Errorf("%d clients were let try in 100 s", tries)
		}
		dc.ClientOK(7)
		if !dc.TryTrial() {
			t.Error("refused after one got through")
		}
	})
}

// Active checks quote what the network said.
func TestEventsNameTheDomainControllerAndAreFitForALog(t *testing.T) {
	d := &reports{}
	o := d.into(Options{Fall: 1}).withDefaults()
	dc := newDC("10.0.0.2", dcNames{backend: "dc1", server: "dc1"}, netip.MustParseAddrPort("10.0.0.2:135"), 7, &o)
	dc.observe(observation{kind: monitoringBegun})
	dc.observe(observation{kind: probeEnded, result: &bad, reason: "fault\n\x1b[31m"})
	want := Event{Kind: DCDown, Backend: "dc1", DC: "10.0.0.2", State: NotServing, Reason: "fault??[31m"}
	if len(d.events) != 1 || !reflect.DeepEqual(d.events[0], want) {
		t.Errorf("%+v, want %+v", d.events, want)
	}
}

func TestObservationsFromManyGoroutinesAreAllCounted(t *testing.T) {
	d := &reports{}
	o := d.into(Options{Fall: 1000}).withDefaults()
	dc := newDC("dc1", dcNames{}, netip.MustParseAddrPort("10.0.0.1:135"), 7, &o)
	dc.observe(observation{kind: monitoringBegun})
	var clients sync.WaitGroup
	for range 10 {
		clients.Go(func() {
			for range 100 {
				dc.DialFailed(7, true)
			}
		})
	}
	clients.Wait()
	if dc.State() != Unreachable || !dc.Silent() || len(d.kinds()) != 1 {
		t.Errorf("%v after 1000 failures, silent: %v, reported %q", dc.State(), dc.Silent(), d.kinds())
	}
	if dc.ClientFailed(); dc.TryTrial() {
		t.Error("a trial at once")
	}
}
