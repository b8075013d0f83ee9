//go:build lab

package network

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/nspiproxy/nspiproxy/internal/testkit/lab"
)

// TestRoutedImpacketWorksSealed from machines that the domain controller tells apart.
func TestRoutedImpacketWorksSealed(t *testing.T) {
	network := lab.StartNetwork(t)
	dc := lab.StartDC(t, lab.DCOptions{On: network.DCs[1]})
	for _, machine := range network.Clients {
		client := lab.StartImpacketOn(t, machine)
		for to, from := range map[string]netip.Addr{dc.Address: machine.Address, dc.Address6: machine.Address6} {
			for _, w := range []lab.Variant{lab.NTLMPrivacy, lab.SPNEGOPrivacy} {
				at := lab.Expect(t, "connect", client.Connect("a", w.At(to))).Local
				handle := lab.Expect(t, "bind", client.Bind("a")).Handle
				lab.Expect(t, "query", client.Query("a", handle))
				if peer := netip.MustParseAddrPort(at); peer.Addr() != from || dc.Peers(t).Sessions[peer] != 1 {
					t.Errorf("%s from %s: the domain controller sees %v", w.Name, at, dc.Peers(t))
				}
				lab.Expect(t, "unbind", client.Unbind("a", handle))
				lab.Expect(t, "close", client.Close("a", false))
			}
		}
	}
}

// TestRoutedProxyIsAnOrdinaryUser with two capabilities and no more, and serves clients of both families in mode forward,
// where the domain controller sees the proxy's address.
func TestRoutedProxyIsAnOrdinaryUser(t *testing.T) {
	network := lab.StartNetwork(t)
	router := network.Router
	dc := lab.StartDC(t, lab.DCOptions{On: network.DCs[0]})
	proxy := lab.StartProxy(t, lab.ProxyOptions{On: router, OrdinaryUser: true, Limit: 1, Listeners: fmt.Sprintf(`listeners:
  - {name: four, mode: forward, address: '%s', backend: dc}
  - {name: six, mode: forward, address: '%s', backend: dc}
backends:
  - {name: dc, address: %s}
`, router.Address, router.Address6, dc.Address)})
	lab.CheckOrdinaryUser(t, proxy)
	first, second := lab.StartImpacketOn(t, network.Clients[0]), lab.StartImpacketOn(t, network.Clients[1])
	w := lab.NTLMConnect
	lab.Expect(t, "connect", first.Connect("a", w.At(router.Address.String())))
	lab.Expect(t, "bind", first.Bind("a"))
	lab.Expect(t, "connect by IPv6", second.Connect("a", w.At(router.Address6.String())))
	w.CheckRefused(t, second.Bind("a"))
	for peer := range dc.Peers(t).Sessions {
		if want := network.DCs[0].RouterAddress(); peer.Addr() != want {
			t.Errorf("the domain controller sees %s, want %s", peer, want)
		}
	}
	lab.CheckHeld(t, proxy, dc, 1)
}
