//go:build lab

package lab

import (
	"testing"
)

// TestPathSambaServesSealedSessions to Samba's client on other machines, with tickets for the domain controller's own name, and
// sees who they are as far as the mode shows it.
func TestPathSambaServesSealedSessions(t *testing.T) {
	network := StartNetwork(t)
	at := network.DCs[0]
	samba := StartSambaOn(t, at)
	for mode := range pathModes {
		t.Run(mode, func(t *testing.T) {
			proxy := startPath(t, network, pathOptions{mode: mode, limit: 50, samba: samba, listed: network.DCs[:1]})
			for _, machine := range network.Clients {
				client := StartSambaClientOn(t, machine, samba)
				for _, login := range routedLogins {
					for _, f := range pathFamilies {
						from := f.of(machine)
						if mode == "redirect" {
							from = f.router(at)
						}
						login.Address = f.of(at).String()
						proxy.checkTaken(t, 2, func() { routedSession(t, samba, client, login, from) })
					}
				}
			}
			m := proxy.Metrics(t)
			if n := m.Sum("nspiproxy_sessions_opened_total"); n != 16 || m.Sum("nspiproxy_unverified_pdus_total") != 0 {
				t.Errorf("the proxy has seen %v sessions, want 16", n)
			}
		})
	}
}

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
