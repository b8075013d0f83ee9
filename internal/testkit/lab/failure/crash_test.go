//go:build lab

package failure

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/nspiproxy/nspiproxy/internal/testkit/lab"
)

const (
	crashedClients  = 12
	crashedSessions = 5 // of each
)

// TestSessionsOfACrashedMachineAreEndedByTheNextRun: neither clients nor domain controllers have heard of the end of their
// connections, and both are silent.
func TestSessionsOfACrashedMachineAreEndedByTheNextRun(t *testing.T) {
	for _, mode := range bothModes {
		t.Run(mode, func(t *testing.T) {
			p := startFailPath(t, lab.PathOptions{Mode: mode, WhenDown: "open"}, lab.DCOptions{NSPIPort: lab.StaticPort, Deaf: true})
			crashed(t, p.Network, p.Proxy, p.dc, p.addresses(), lab.StaticPort, false, func() *lab.Proxy {
				p.Serve(t)
				return p.Proxy
			})
		})
	}
	t.Run("forward", func(t *testing.T) {
		network := lab.StartNetwork(t)
		dc := lab.StartDC(t, lab.DCOptions{On: network.DCs[0], Anonymous: true, NSPIPort: lab.StaticPort, Deaf: true})
		o := lab.ProxyOptions{On: network.Router, DC: dc, Limit: 1000, Listeners: lab.ForwardBoth(network), Folder: lab.OrdinaryFolder(t)}
		proxy := lab.StartProxy(t, o)
		ours := []netip.Addr{network.Router.Address, network.Router.Address6}
		crashed(t, network, proxy, dc, ours, lab.StaticPort, true, func() *lab.Proxy { return lab.StartProxy(t, o) })
	})
}

// crashed takes the network away and kills the proxy, waits until the kernel of its machine has forgotten its connections, and
// starts it again. If late, the network comes back when the proxy has tried to reach the domain controller.
func crashed(t *testing.T, network *lab.Network, proxy *lab.Proxy, dc *lab.DC, servers []netip.Addr, port uint16, late bool, start func() *lab.Proxy) {
	t.Helper()
	for n := range crashedClients {
		client, err := joinAt(network.Clients[0], netip.AddrPortFrom(servers[n%len(servers)], port), netip.Addr{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(client.Close)
		for range crashedSessions - 1 {
			if _, err := opened(client); err != nil {
				t.Fatal(err)
			}
		}
	}
	const sessions = crashedClients * crashedSessions
	lab.CheckHeld(t, proxy, dc, sessions)
	router := network.Router
	router.Run(t, "sh", "-ec", "sysctl -qw net.ipv4.tcp_orphan_retries=1; nft add table inet lost; "+
		"nft add chain inet lost out '{ type filter hook output priority -400; oifname != lo drop; }'")
	proxy.Kill()
	lab.Eventually(t, lab.SilenceTime, "the connections are forgotten", func() bool {
		return strings.TrimSpace(router.Run(t, "ss", "-Htn", "state", "connected", "exclude", "time-wait")) == ""
	})
	if n := dc.Count(t).Sessions; n != sessions {
		t.Fatalf("the domain controller has %d sessions, want %d", n, sessions)
	}
	connected := func() { router.Run(t, "nft", "delete", "table", "inet", "lost") }
	if !late {
		connected()
	}
	proxy = start()
	left := func() []lab.Record { return proxy.Events("connections.left") }
	if late {
		lab.Eventually(t, lab.SilenceTime, "the domain controller is found not to answer", func() bool { return len(left()) > 0 })
		if r := left()[0]; r["unknown"] != float64(crashedClients) {
			t.Errorf("the record is %v", r)
		}
		connected()
	}
	lab.Eventually(t, lab.SilenceTime, "the domain controller has no session", func() bool { return dc.Count(t).Sessions == 0 })
	lab.Eventually(t, lab.SettleTime, "it is logged", func() bool {
		all := left()
		return len(all) > 0 && all[len(all)-1]["ended"] == float64(crashedClients)
	})
}
