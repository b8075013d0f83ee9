package backend

import (
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"
)

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

func TestWhileNSPIIsNotKnownEveryPortCounts(t *testing.T) {
	o := Options{}.withDefaults()
	dc := newDC("dc", dcNames{}, netip.MustParseAddrPort("10.0.0.1:135"), 0, &o)
	dc.attend(true)
	for _, port := range []uint16{135, 88, 6004} {
		dc.DialFailed(port, false)
	}
	if dc.State() != Unreachable {
		t.Error(dc.State())
	}
}

func TestClientThatGetsThroughHastensTheReturn(t *testing.T) {
	for at := range 10 {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld()
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

func TestNobodyIsLeftFromAnEarlierAttendance(t *testing.T) {
	o := Options{}.withDefaults()
	dc := newDC("dc", dcNames{}, netip.MustParseAddrPort("10.0.0.1:135"), 0, &o)
	dc.attend(true)
	for range 4 {
		dc.DialFailed(88, true)
	}
	dc.attend(false)
	dc.attend(true)
	if want := (health{rise: o.Rise, fall: o.Fall}); dc.health != want || dc.silence != (silence{}) || dc.doubted.Load() || dc.troubled.Load() {
		t.Errorf("%+v, %+v, doubted %v, troubled %v", dc.health, dc.silence, dc.doubted.Load(), dc.troubled.Load())
	}
}

// Clients that fail by the thousand do not make the proxy knock by the thousand.
func TestDoubtsAreCheckedNoFasterThanAnybodyNeeds(t *testing.T) {
	for name, n := range map[string]fakeNet{"up": alive, "down": closed} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
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
		w := newWorld()
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
