//go:build lab

package failover

import (
	"net/netip"
	"testing"

	"github.com/nspiproxy/nspiproxy/internal/testkit/lab"
)

// TestForwardConnectionsEndWithTheirAddress: the address of a forward listener has moved to another machine, and its clients send
// nothing. Those of another address live on.
func TestForwardConnectionsEndWithTheirAddress(t *testing.T) {
	network := lab.StartNetwork(t)
	dc := lab.StartDC(t, lab.DCOptions{On: network.DCs[0], Anonymous: true, Deaf: true})
	proxy := lab.StartProxy(t, lab.ProxyOptions{On: network.Router, DC: dc, Limit: limit, Listeners: lab.ForwardBoth(network)})
	client := network.Clients[0]
	moved := lab.DialFrom(t, client, network.Router.Address, netip.Addr{})
	lab.OpenSession(t, moved)
	stays := lab.DialFrom(t, client, network.Router.Address6, netip.Addr{})
	lab.OpenSession(t, stays)
	lab.CheckHeld(t, proxy, dc, 2)
	network.Router.Run(t, "ip", "address", "delete", network.Router.Address.String()+"/32", "dev", "lo")
	lab.CheckHeld(t, proxy, dc, 1)
	lab.OpenSession(t, stays)
	lab.CheckHeld(t, proxy, dc, 2)
}
