//go:build lab

package samba

import (
	"testing"

	"github.com/nspiproxy/nspiproxy/internal/testkit/lab"
)

// TestPathSambasWireSuiteSeesNoProxy: what the suite finds out through TPROXY is what it finds out on a direct way through the
// same router.
func TestPathSambasWireSuiteSeesNoProxy(t *testing.T) {
	network := lab.StartNetwork(t)
	samba := lab.StartSambaOn(t, network.DCs[0])
	taken, passed := network.Clients[0], network.Clients[1]
	proxy := lab.StartPath(t, network, lab.PathOptions{Mode: "tproxy", Limit: 50, Samba: samba, Listed: network.DCs[:1], Clients: []*lab.Machine{taken}})
	compareWireSuite(t, samba, path{passed, samba.Address}, path{taken, samba.Address})
	const connections = 150 // most tests make one or several
	if n := proxy.Taken(t); n < connections {
		t.Errorf("%d connections of the suite have come to the proxy, want %d at least", n, connections)
	}
}
