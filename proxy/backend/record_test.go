package backend

import (
	"fmt"
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

// unreachable is a world in which this machine gets no answer, and knows it.
func unreachable(t *testing.T) (*world, *DC) {
	t.Helper()
	w := newWorld()
	s := w.set(Options{Prober: w.probe})
	run(t, s)
	dc := s.Members("dc1")[0]
	w.becomes(fakeNet{}, Result{})
	time.Sleep(2 * time.Minute)
	synctest.Wait()
	if dc.State() != Unreachable {
		t.Fatalf("state %v", dc.State())
	}
	return w, dc
}

// The firewall of a domain controller lets in clients, and not this machine.
func TestClientsThatGetThroughAreNotRefusedForThisMachinesSake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, dc := unreachable(t)
		for range 100 {
			if !dc.TryTrial() {
				t.Fatal("refused, though no client has failed")
			}
			dc.ClientOK(7)
			time.Sleep(time.Second)
		}
		if dc.ClientsFail() {
			t.Error("clients fail")
		}
	})
}

// A firewall drops the packets of one client, which tries again and again.
func TestClientThatIsNotLetInTakesNobodyElsesService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		s := w.set(Options{Prober: w.probe})
		run(t, s)
		dc := s.Members("dc1")[0]
		for range 100 {
			dc.ClientFailed()
			time.Sleep(100 * time.Millisecond)
			if dc.State() != Serving || !dc.TryTrial() {
				t.Fatalf("state %v", dc.State())
			}
		}
	})
}

func TestOneClientAtATimeTriesWhatIsHopeless(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, dc := unreachable(t)
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
			t.Error("hopeless after one got through")
		}
	})
}

func TestReturnOfADomainControllerEndsTheRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, dc := unreachable(t)
		dc.ClientFailed()
		if dc.TryTrial() {
			t.Fatal("not hopeless")
		}
		w.becomes(fakeNet{7: nil, 135: nil}, Result{Reachable: true, Serving: true})
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if !dc.TryTrial() {
			t.Error("it is back, and clients are refused")
		}
	})
}
