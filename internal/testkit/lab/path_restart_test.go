//go:build lab

package lab

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/internal/testkit/lab/rawnspi"
	"github.com/nspiproxy/nspiproxy/proxy/transparent"
)

// TestPathPortsSurviveTheProxy: the proxy is killed, and started again as the service manager does. No domain controller is listed:
// what is known of them is what clients were told before.
func TestPathPortsSurviveTheProxy(t *testing.T) {
	inBothModes(t, func(t *testing.T, mode string) {
		network := StartNetwork(t)
		at, client := network.DCs[0], network.Clients[0]
		dc := StartDC(t, DCOptions{On: at, Anonymous: true, NSPIPort: 50001})
		proxy := startPath(t, network, pathOptions{mode: mode, limit: 50, dcs: []*DC{dc}})
		var ports, moved []netip.AddrPort
		for _, f := range pathFamilies {
			sessionOf(t, dc, dialRouted(t, client, f.of(at), netip.Addr{}))
			ports, moved = append(ports, netip.AddrPortFrom(f.of(at), 50001)), append(moved, netip.AddrPortFrom(f.of(at), 50002))
		}
		kept(t, proxy, ports)

		killed(t, proxy)
		proxy.apply(t)
		if learnt := proxy.learnt(t); !slices.Equal(learnt, ports) {
			t.Errorf("before the start the kernel knows %v, want %v", learnt, ports)
		}
		proxy.serve(t)
		proxy.checkTaken(t, len(ports), func() {
			for _, port := range ports {
				sessionOf(t, dc, connectTo(t, client, port))
			}
		})

		killed(t, proxy)
		dc.Restart(t, 50002)
		proxy.apply(t)
		proxy.serve(t)
		begin := time.Now()
		Eventually(t, followTime, "the kernel knows the new ports", func() bool { return slices.Equal(proxy.learnt(t), moved) })
		t.Logf("ports that moved while the proxy was down are known %s after its start", time.Since(begin).Round(time.Millisecond))
		proxy.checkTaken(t, len(moved), func() {
			for _, port := range moved {
				sessionOf(t, dc, connectTo(t, client, port))
			}
		})
		checkHeld(t, proxy.Proxy, dc, 0)
		kept(t, proxy, moved)
	})
}

// kept waits until these are the ports in the state file.
func kept(t *testing.T, p *pathProxy, want []netip.AddrPort) {
	t.Helper()
	Eventually(t, settle, "the state file has the ports", func() bool {
		ports, err := transparent.ReadPorts(p.stateFile())
		return err == nil && slices.Equal(ports, want)
	})
}

// killed ends the program as kill -9 does. Then the service manager does what it does after every end.
func killed(t *testing.T, p *pathProxy) {
	t.Helper()
	p.Kill()
	runRules(t, p.network.Router, "--on-stop")
}

// connectTo connects a machine without asking anybody. The connection ends with the test.
func connectTo(t *testing.T, on *Machine, to netip.AddrPort) *rawnspi.Client {
	t.Helper()
	conn, err := on.Dial(to.String(), netip.Addr{})
	if err != nil {
		t.Fatalf("%s connects to %s: %v", on.Name, to, err)
	}
	t.Cleanup(func() { conn.Close() })
	return rawnspi.New(conn)
}
