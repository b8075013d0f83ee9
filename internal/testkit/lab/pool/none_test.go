//go:build lab

package pool

import (
	"net/netip"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/internal/testkit/lab"
)

// TestPoolServesWithWhoeverIsThere: with nobody behind it at its start, with one of two, and after both have died. Clients whom
// nobody can serve know that at once.
func TestPoolServesWithWhoeverIsThere(t *testing.T) {
	network := lab.StartNetwork(t)
	s := &poolStage{Network: network, proxy: lab.StartProxy(t, lab.ProxyOptions{On: network.Router, OrdinaryUser: true, Config: poolConfig + unlimited})}
	s.expectNobody(t, lab.PortEPM)
	s.dcs[1] = lab.StartDC(t, lab.DCOptions{On: network.DCs[1], Anonymous: true})
	waitForPorts(t, s.proxy, "dc2")
	first := s.session(t, s.Clients[0], netip.Addr{}) // of those that begin before the other one is known
	s.dcs[0] = lab.StartDC(t, lab.DCOptions{On: network.DCs[0], Anonymous: true})
	waitForPorts(t, s.proxy, "dc1")
	lab.Eventually(t, lab.SettleTime, "dc1 serves", func() bool { return s.proxy.BackendMetric(t, "state", "dc1", `state="serving"`) == 1 })
	second := s.session(t, s.Clients[1], netip.Addr{})
	s.checkHeld(t, 1, 1)

	port := int(lab.EndsOf(first).Server.Port())
	ended := []<-chan error{watchEnd(first), watchEnd(second)}
	for _, dc := range s.dcs {
		dc.Kill()
	}
	for _, end := range ended {
		select {
		case err := <-end:
			if err == nil {
				t.Error("it has sent something")
			}
		case <-time.After(lab.PromptTime):
			t.Fatal("a connection to nobody has not ended")
		}
	}
	for range 2 { // before and after they are known to be unreachable
		s.expectNobody(t, port)
		s.expectNobody(t, lab.PortEPM)
		lab.Eventually(t, lab.SettleTime, "both are unreachable", func() bool {
			return s.proxy.BackendMetric(t, "state", "dc1", `state="unreachable"`)+s.proxy.BackendMetric(t, "state", "dc2", `state="unreachable"`) == 2
		})
	}
	if n := s.proxy.Metrics(t).Sum("nspiproxy_sessions_held"); n != 0 {
		t.Errorf("%v sessions are held on nobody", n)
	}
	for n, dc := range s.dcs {
		dc.Restart(t, 50011+n)
	}
	lab.Eventually(t, lab.SettleTime, "both serve again", func() bool {
		return s.proxy.BackendMetric(t, "state", "dc1", `state="serving"`)+s.proxy.BackendMetric(t, "state", "dc2", `state="serving"`) == 2
	})
	third, fourth := s.session(t, s.Clients[0], netip.Addr{}), s.session(t, s.Clients[1], netip.Addr{})
	if got := int(lab.EndsOf(third).Server.Port()); got != port {
		t.Errorf("NSPI is on port %d of the proxy, after it was on %d", got, port)
	}
	s.checkHeld(t, 1, 1)
	third.Close()
	fourth.Close()
	s.checkNobodyLeft(t)
}

// expectNobody connects to a port of the proxy's, and expects the end at once.
func (s *poolStage) expectNobody(t *testing.T, port int) {
	t.Helper()
	conn, err := s.Clients[0].Dial(lab.HostPort(s.proxy.Front, port), netip.Addr{})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	began := time.Now()
	if err := lab.NewConn(conn).Bind(0); err == nil {
		t.Error("somebody answers")
	}
	if took := time.Since(began); took > lab.PromptTime {
		t.Errorf("it took %s to end a connection to nobody", took)
	}
}
