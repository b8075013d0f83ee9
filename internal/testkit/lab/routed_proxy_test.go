//go:build lab

package lab

import (
	"fmt"
	"net/netip"
	"testing"
)

// TestRoutedImpacketWorksSealed from machines that the domain controller tells apart.
func TestRoutedImpacketWorksSealed(t *testing.T) {
	network := StartNetwork(t)
	dc := StartDC(t, DCOptions{On: network.DCs[1]})
	for _, machine := range network.Clients {
		client := StartImpacketOn(t, machine)
		for to, from := range map[string]netip.Addr{dc.Address: machine.Address, dc.Address6: machine.Address6} {
			for _, w := range []way{ways[4], ways[7]} { // NTLM and SPNEGO, sealed
				at := expect(t, "connect", client.Connect("a", w.at(to))).Local
				handle := expect(t, "bind", client.Bind("a")).Handle
				expect(t, "query", client.Query("a", handle))
				if peer := netip.MustParseAddrPort(at); peer.Addr() != from || dc.Peers(t).Sessions[peer] != 1 {
					t.Errorf("%s from %s: the domain controller sees %v", w.name, at, dc.Peers(t))
				}
				expect(t, "unbind", client.Unbind("a", handle))
				expect(t, "close", client.Close("a", false))
			}
		}
	}
}

// TestRoutedProxyIsAnOrdinaryUser with two capabilities and no more, and serves clients of both families in mode forward,
// where the domain controller sees the proxy's address.
func TestRoutedProxyIsAnOrdinaryUser(t *testing.T) {
	network := StartNetwork(t)
	router := network.Router
	dc := StartDC(t, DCOptions{On: network.DCs[0]})
	proxy := StartProxy(t, ProxyOptions{On: router, OrdinaryUser: true, Limit: 1, Listeners: fmt.Sprintf(`listeners:
  - {name: four, mode: forward, address: '%s', backend: dc}
  - {name: six, mode: forward, address: '%s', backend: dc}
backends:
  - {name: dc, address: %s}
`, router.Address, router.Address6, dc.Address)})
	checkOrdinary(t, proxy)
	first, second := StartImpacketOn(t, network.Clients[0]), StartImpacketOn(t, network.Clients[1])
	w := ways[2]
	expect(t, "connect", first.Connect("a", w.at(router.Address.String())))
	expect(t, "bind", first.Bind("a"))
	expect(t, "connect by IPv6", second.Connect("a", w.at(router.Address6.String())))
	w.refused(t, second.Bind("a"))
	for peer := range dc.Peers(t).Sessions {
		if want := network.DCs[0].RouterAddress(); peer.Addr() != want {
			t.Errorf("the domain controller sees %s, want %s", peer, want)
		}
	}
	checkHeld(t, proxy, dc, 1)
}
