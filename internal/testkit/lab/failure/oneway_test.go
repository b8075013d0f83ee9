//go:build lab

package failure

import (
	"net/netip"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/internal/testkit/lab"
)

// TestOneWayPathIsSaid: the answers of dc1 to the addresses of one client machine do not pass the router, those to the other's
// do. Without the proxy both are served.
func TestOneWayPathIsSaid(t *testing.T) {
	for name, listed := range map[string]bool{"listed": true, "unlisted": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // each of them waits most of the time
			network := lab.StartNetwork(t)
			dc := lab.StartDC(t, lab.DCOptions{On: network.DCs[0], NSPIPort: 50001, Anonymous: true})
			network.DCs[0].Bypass(t, network.Clients[0])
			if err := openedAt(network.Clients[0], network.DCs[0].Address); err != nil {
				t.Fatalf("without the proxy: %v", err)
			}
			o := lab.PathOptions{Mode: "tproxy", Limit: 100, DCs: []*lab.DC{dc}, Relay: "  failover_timeout: 1s\n", More: checkNSPI}
			if listed {
				o.Listed = network.DCs[:1]
			}
			o.WhenDown = "closed"
			checkOneWay(t, lab.StartPath(t, network, o))
		})
	}
}

// checkOneWay lets clients fail until the proxy says why, and then mends the path.
func checkOneWay(t *testing.T, p *lab.PathProxy) {
	t.Helper()
	failing, other, dc := p.Network.Clients[0], p.Network.Clients[1], p.Network.DCs[0]
	began := time.Now()
	for _, server := range []netip.Addr{dc.Address, dc.Address6} {
		for range 3 {
			go func() { _, _ = failing.MapPort(server.String()) }()
		}
	}
	networks := func() float64 { return p.Metrics(t).Sum("nspiproxy_backend_unanswered_client_networks") }
	lab.Eventually(t, lab.SettleTime, "both addresses are known not to answer clients", func() bool {
		return len(p.Events("clients.unanswered")) == 2 && networks() == 2
	})
	t.Logf("said after %s: %v", time.Since(began), p.Events("clients.unanswered"))
	for _, server := range []netip.Addr{dc.Address, dc.Address6} {
		if _, err := other.MapPort(server.String()); err != nil {
			t.Errorf("a client of the other network: %v", err)
		}
	}
	if n := p.Metrics(t).Sum("nspiproxy_backend_state", `state="unreachable"`); n != 0 || networks() != 2 {
		t.Errorf("%v addresses are unreachable, %v networks are not answered", n, networks())
	}
	dc.EndBypass(t)
	for _, server := range []netip.Addr{dc.Address, dc.Address6} {
		if _, err := failing.MapPort(server.String()); err != nil {
			t.Errorf("the way back is as it should be: %v", err)
		}
	}
	lab.Eventually(t, lab.PromptTime, "it is said to be over", func() bool {
		return len(p.Events("clients.answered")) == 2 && networks() == 0
	})
	if n := len(p.Events("clients.unanswered")); n != 2 {
		t.Errorf("%d records in all", n)
	}
}
