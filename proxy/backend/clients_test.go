package backend

import (
	"testing"
	"testing/synctest"
	"time"
)

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
