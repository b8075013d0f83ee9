//go:build lab

package pool

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/internal/testkit/lab"
)

// watchEnd tells when a silent connection ends.
func watchEnd(c *lab.Conn) <-chan error {
	ended := make(chan error, 1)
	_ = c.TCP.SetReadDeadline(time.Time{})
	go func() {
		_, err := c.TCP.Read(make([]byte, 1))
		ended <- err
	}()
	return ended
}

// TestPoolLeavesADomainControllerThatVanishes without a word, as when its machine, its switch or its cable fails: silent clients
// lose their connections and their slots within the documented time, new ones find the other domain controller, and it is used
// again once it is back.
func TestPoolLeavesADomainControllerThatVanishes(t *testing.T) {
	s := startPool(t, lab.DCOptions{Anonymous: true, Deaf: true}, unlimited)
	for _, c := range []struct {
		what      string
		gone      int
		cut, mend func(*lab.Machine, testing.TB)
	}{
		{"its cable is silent", 0, (*lab.Machine).Silence, (*lab.Machine).Speak},
		{"its cable is cut", 1, (*lab.Machine).Cut, (*lab.Machine).Mend},
	} {
		t.Run(c.what, func(t *testing.T) {
			ids := [2]serverGUID{guidOf(t, s.Clients[0], s.dcs[0]), guidOf(t, s.Clients[0], s.dcs[1])}
			s.vanish(t, c.gone, ids, func() { c.cut(s.DCs[c.gone], t) }, func() { c.mend(s.DCs[c.gone], t) })
		})
		s.checkNobodyLeft(t) // nor on the domain controller, which has not noticed that it was gone
	}
}

// vanish lets a domain controller vanish and come back.
func (s *poolStage) vanish(t *testing.T, gone int, ids [2]serverGUID, cut, mend func()) {
	t.Helper()
	name, other := fmt.Sprint("dc", gone+1), fmt.Sprint("dc", 2-gone)
	ends := map[serverGUID][]<-chan error{}
	for n := range 8 {
		client := s.dial(t, s.Clients[n%2], s.Clients[n%2].More(n))
		where := bindWhere(t, client)
		ends[where] = append(ends[where], watchEnd(client))
	}
	if len(ends[ids[0]]) != 4 || len(ends[ids[1]]) != 4 {
		t.Fatalf("clients on each domain controller: %v", ends)
	}
	s.checkHeld(t, 4, 4)
	cut()
	began := time.Now()
	for range 2 { // who comes before it is known waits for connect_timeout at most
		if bindWhere(t, s.dial(t, s.Clients[0], s.Clients[0].More(50))) != ids[1-gone] {
			t.Error("served by a domain controller that is gone")
		}
	}
	for _, ended := range ends[ids[gone]] {
		select {
		case err := <-ended:
			if err == nil {
				t.Error("it has sent something")
			}
		case <-time.After(time.Until(began.Add(lab.SilenceTime))):
			t.Fatalf("a connection to it has not ended after %s", lab.SilenceTime)
		}
	}
	t.Logf("all connections had ended after %s", time.Since(began).Round(time.Millisecond))
	lab.Eventually(t, lab.PromptTime, "its slots are free", func() bool { return s.proxy.BackendMetric(t, "sessions", name) == 0 })
	if s.proxy.BackendMetric(t, "state", name, `state="unreachable"`) != 1 || s.proxy.BackendMetric(t, "sessions", other) != 6 {
		t.Errorf("it is not unreachable, or %d sessions are not on the other one", 6)
	}
	if bindWhere(t, s.dial(t, s.Clients[1], s.Clients[1].More(50))) != ids[1-gone] {
		t.Error("served by a domain controller that is gone")
	}
	mend()
	lab.Eventually(t, lab.SettleTime, "it serves again", func() bool { return s.proxy.BackendMetric(t, "state", name, `state="serving"`) == 1 })
	if bindWhere(t, s.dial(t, s.Clients[1], s.Clients[1].More(51))) != ids[gone] {
		t.Error("the domain controller that is back is not used")
	}
	for _, ended := range ends[ids[1-gone]] {
		select {
		case err := <-ended:
			t.Errorf("a connection to the other domain controller has %v", err)
		default:
		}
	}
}

// TestPoolWaitsForASlowEndpointMapper: it is no reason to take NSPI for dead, whether its answers come in time or not.
func TestPoolWaitsForASlowEndpointMapper(t *testing.T) {
	s := startPool(t, lab.DCOptions{Anonymous: true}, unlimited+"health: {timeout: 2s}\n")
	var clients []*lab.Conn
	for n := range 4 {
		clients = append(clients, s.session(t, s.Clients[0], s.Clients[0].More(n)))
	}
	for _, delay := range []time.Duration{1500 * time.Millisecond, 3 * time.Second} {
		s.dcs[0].Slow(t, 0, delay)
		asked := s.dcs[0].Count(t).Maps
		lab.Eventually(t, 2*lab.SettleTime, "it has been asked some times", func() bool { return s.dcs[0].Count(t).Maps >= asked+3 })
		down := func() bool { return len(s.proxy.Events("epm.down")) > 0 }
		if delay > 2*time.Second { // as soon as it has been waited for twice, in vain
			lab.Eventually(t, lab.SettleTime, "it is said to be down", down)
		} else if down() {
			t.Errorf("answers after %s: epm.down", delay)
		}
		for _, c := range clients {
			lab.OpenSession(t, c)
		}
	}
	for range 2 {
		clients = append(clients, s.session(t, s.Clients[1], netip.Addr{}))
	}
	s.checkHeld(t, 7, 7)
	for _, r := range s.proxy.Events("dc.down") {
		t.Errorf("it was taken for dead: %v", r)
	}
	s.dcs[0].Slow(t, 0, 0)
	lab.Eventually(t, lab.SettleTime, "it is noticed", func() bool { return len(s.proxy.Events("epm.up")) > 0 })
	for _, c := range clients {
		c.Close()
	}
	s.checkNobodyLeft(t)
}
