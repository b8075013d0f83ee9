//go:build lab

package lab

import "testing"

// TestPathSambasWireSuiteSeesNoProxy: what the suite finds out through TPROXY is what it finds out on a direct way through the
// same router.
func TestPathSambasWireSuiteSeesNoProxy(t *testing.T) {
	network := StartNetwork(t)
	samba := StartSambaOn(t, network.DCs[0])
	taken, passed := network.Clients[0], network.Clients[1]
	proxy := startPath(t, network, pathOptions{mode: "tproxy", limit: 50, samba: samba, listed: network.DCs[:1], clients: []*Machine{taken}})
	compareWireSuite(t, samba, path{passed, samba.Address}, path{taken, samba.Address})
	const connections = 150 // most tests make one or several
	if n := proxy.taken(t); n < connections {
		t.Errorf("%d connections of the suite have come to the proxy, want %d at least", n, connections)
	}
}
