//go:build lab

package failure

import (
	"net/netip"
	"testing"

	"github.com/nspiproxy/nspiproxy/internal/testkit/lab"
)

// TestPathClientsAboveTheMostConnectionsAreReset, and those below go on. Places are free again as soon as somebody leaves.
func TestPathClientsAboveTheMostConnectionsAreReset(t *testing.T) {
	for _, mode := range bothModes {
		t.Run(mode, func(t *testing.T) {
			const most = 4
			p := startFailPath(t, lab.PathOptions{Mode: mode, Relay: "  max_connections: 4"}, lab.DCOptions{NSPIPort: 50001})
			var all []*lab.Conn
			for _, server := range p.addresses() {
				all = append(all, p.joined(t, server))
			}
			p.hasConnections(t, len(all)) // those to the endpoint mapper are over
			for len(all) < most {
				client, err := joinAt(p.Clients[1], netip.AddrPortFrom(p.addresses()[0], 50001), netip.Addr{})
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, client)
			}
			for range 3 {
				for _, server := range p.addresses() {
					p.refusedPromptly(t, server, lab.PortEPM)
					p.refusedPromptly(t, server, 50001)
				}
			}
			for _, c := range all {
				if _, err := opened(c); err != nil {
					t.Errorf("a client that was there before: %v", err)
				}
			}
			lab.CheckHeld(t, p.Proxy, p.dc, 2*most)
			if n := p.Metrics(t).Sum("nspiproxy_connections_refused_total"); n != 12 {
				t.Errorf("%v connections were refused, want 12", n)
			}
			all[0].Close()
			lab.Eventually(t, lab.PromptTime, "a place is free", func() bool {
				client, err := joinAt(p.Clients[0], netip.AddrPortFrom(p.addresses()[0], 50001), netip.Addr{})
				if err == nil {
					client.Close()
				}
				return err == nil
			})
			for _, c := range all {
				c.Close()
			}
			p.checkNobodyLeft(t)
		})
	}
}
