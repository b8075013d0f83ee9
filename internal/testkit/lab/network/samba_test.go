//go:build lab

package network

import (
	"net/netip"
	"testing"

	"github.com/nspiproxy/nspiproxy/internal/testkit/lab"
)

// TestRoutedSambaServesSealedSessions to Samba's client on other machines, by both families, and knows who they are.
func TestRoutedSambaServesSealedSessions(t *testing.T) {
	network := lab.StartNetwork(t)
	samba := lab.StartSambaOn(t, network.DCs[0])
	for _, machine := range network.Clients {
		client := lab.StartSambaClientOn(t, machine, samba)
		for _, login := range lab.SealedLogins {
			for to, from := range map[string]netip.Addr{samba.Address: machine.Address, samba.Address6: machine.Address6} {
				login.Address = to
				lab.CheckSealedSession(t, samba, client, login, from)
			}
		}
	}
}
