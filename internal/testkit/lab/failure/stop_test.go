//go:build lab

package failure

import (
	"net/netip"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/internal/testkit/lab"
)

// TestPathProxyStopsInOrder: the connections that it has go on until they end by themselves, new ones take the way that is
// documented for the time without it.
func TestPathProxyStopsInOrder(t *testing.T) {
	for _, mode := range bothModes {
		for _, whenDown := range []string{"open", "closed"} {
			t.Run(mode+" "+whenDown, func(t *testing.T) { stopInOrder(t, mode, whenDown) })
		}
	}
}

func stopInOrder(t *testing.T, mode string, whenDown string) {
	const size = 16
	p := startFailPath(t, lab.PathOptions{Mode: mode, WhenDown: whenDown, Limit: crewLimit}, lab.DCOptions{NSPIPort: 50001})
	c := startCrew(t, p, size)
	p.Terminate()
	p.logged(t, "stopping")
	stopped := time.Now()
	for _, server := range p.addresses() {
		if mode == "redirect" || whenDown == "closed" {
			p.refusedPromptly(t, server, lab.PortEPM)
			p.refusedPromptly(t, server, 50001)
			continue
		}
		before := p.Metrics(t).Sum("nspiproxy_connections_total")
		client, err := join(p.Clients[0], server, netip.Addr{})
		if err != nil {
			t.Errorf("a new connection: %v", err)
			continue
		}
		if n := p.Metrics(t).Sum("nspiproxy_connections_total"); n != before {
			t.Error("a new connection is accepted by a proxy that stops")
		}
		client.Close()
	}
	c.busyWork(t, size, stopped)
	if n, _ := c.endedAfter(stopped); n != 0 || c.working() != size || p.Ended() {
		t.Errorf("%d of %d connections have ended while the proxy was stopping", n, size)
	}
	left := time.Now()
	c.leave()
	lab.Eventually(t, lab.SettleTime, "the proxy has ended", p.Ended)
	t.Logf("the proxy has ended %s after the last connection", time.Since(left))
	if c.refused != 0 {
		t.Errorf("%d binds were refused", c.refused)
	}
	p.serverHasNobody(t)
}

// TestPathProxyClosesWhatIsLeftAfterTheShutdownTimeout, and the domain controller hears of it.
func TestPathProxyClosesWhatIsLeftAfterTheShutdownTimeout(t *testing.T) {
	const size, timeout = 16, time.Second
	p := startFailPath(t, lab.PathOptions{Limit: crewLimit, Relay: "  shutdown_timeout: 1s", WhenDown: "closed"}, lab.DCOptions{})
	c := startCrew(t, p, size)
	stopped := time.Now()
	p.Terminate()
	c.nobodyWorks(t)
	n, longest := c.endedAfter(stopped)
	if n != size || longest < timeout || longest > timeout+lab.PromptTime {
		t.Errorf("%d connections have ended, the last %s after the signal", n, longest)
	}
	t.Logf("%d connections have ended, the last %s after the signal", n, longest)
	lab.Eventually(t, lab.SettleTime, "the proxy has ended", p.Ended)
	p.serverHasNobody(t)
}
