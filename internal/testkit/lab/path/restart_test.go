//go:build lab

package path

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/internal/testkit/lab"
	"github.com/nspiproxy/nspiproxy/proxy/transparent"
)

// TestPathPortsSurviveTheProxy: the proxy is killed, and started again as the service manager does. No domain controller is listed:
// what is known of them is what was named to clients before.
func TestPathPortsSurviveTheProxy(t *testing.T) {
	lab.InBothModes(t, func(t *testing.T, mode string) {
		network := lab.StartNetwork(t)
		at, client := network.DCs[0], network.Clients[0]
		dc := lab.StartDC(t, lab.DCOptions{On: at, Anonymous: true, NSPIPort: 50001})
		proxy := lab.StartPath(t, network, lab.PathOptions{Mode: mode, Limit: 50, DCs: []*lab.DC{dc}})
		var ports, moved []netip.AddrPort
		for _, f := range lab.Families {
			sessionOf(t, dc, lab.DialFrom(t, client, f.Of(at), netip.Addr{}))
			ports, moved = append(ports, netip.AddrPortFrom(f.Of(at), 50001)), append(moved, netip.AddrPortFrom(f.Of(at), 50002))
		}
		kept(t, proxy, ports)

		killed(t, proxy)
		proxy.Apply(t)
		if learnt := proxy.Learnt(t); !slices.Equal(learnt, ports) {
			t.Errorf("before the start the kernel knows %v, want %v", learnt, ports)
		}
		proxy.Serve(t)
		proxy.CheckTaken(t, len(ports), func() {
			for _, port := range ports {
				sessionOf(t, dc, connectTo(t, client, port))
			}
		})

		killed(t, proxy)
		dc.Restart(t, 50002)
		proxy.Apply(t)
		proxy.Serve(t)
		begin := time.Now()
		lab.Eventually(t, followTime, "the kernel knows the new ports", func() bool { return slices.Equal(proxy.Learnt(t), moved) })
		t.Logf("ports that moved while the proxy was down are known %s after its start", time.Since(begin).Round(time.Millisecond))
		proxy.CheckTaken(t, len(moved), func() {
			for _, port := range moved {
				sessionOf(t, dc, connectTo(t, client, port))
			}
		})
		lab.CheckHeld(t, proxy.Proxy, dc, 0)
		kept(t, proxy, moved)
	})
}

// kept waits until these are the ports in the state file.
func kept(t *testing.T, p *lab.PathProxy, want []netip.AddrPort) {
	t.Helper()
	lab.Eventually(t, lab.SettleTime, "the state file has the ports", func() bool {
		ports, err := transparent.ReadPorts(p.StateFile())
		return err == nil && slices.Equal(ports, want)
	})
}

// killed ends the program as kill -9 does. Then the service manager does what it does after every end.
func killed(t *testing.T, p *lab.PathProxy) {
	t.Helper()
	p.Kill()
	lab.RunRules(t, p.Network.Router, "--on-stop")
}

// connectTo connects a machine without asking anybody. The connection ends with the test.
func connectTo(t *testing.T, on *lab.Machine, to netip.AddrPort) *lab.Conn {
	t.Helper()
	conn, err := on.Dial(to.String(), netip.Addr{})
	if err != nil {
		t.Fatalf("%s connects to %s: %v", on.Name, to, err)
	}
	t.Cleanup(func() { conn.Close() })
	return lab.NewConn(conn)
}
