//go:build lab

package lab

import (
	"net/netip"
	"testing"
)

// TestRoutedSambaServesSealedSessions to Samba's client on other machines, by both families, and knows who they are.
func TestRoutedSambaServesSealedSessions(t *testing.T) {
	network := StartNetwork(t)
	samba := StartSambaOn(t, network.DCs[0])
	for _, machine := range network.Clients {
		client := StartSambaClientOn(t, machine, samba)
		for _, login := range routedLogins {
			for to, from := range map[string]netip.Addr{samba.Address: machine.Address, samba.Address6: machine.Address6} {
				login.Address = to
				routedSession(t, samba, client, login, from)
			}
		}
	}
}
