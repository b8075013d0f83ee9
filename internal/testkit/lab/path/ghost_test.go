//go:build lab

package path

import (
	"net/netip"
	"testing"

	"github.com/nspiproxy/nspiproxy/internal/testkit/lab"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

const (
	ghostClients  = 9
	ghostSessions = 3 // of each
	ghostRounds   = 3
)

// TestPathRestartsLeaveNoSessionBehind on the domain controller: at every quiet moment it has those that the proxy has and
// those of connections that are known to pass by. Clients come back as soon as they lose their connection.
func TestPathRestartsLeaveNoSessionBehind(t *testing.T) {
	for mode := range lab.Modes {
		for _, whenDown := range []string{"open", "closed"} {
			for _, end := range []string{"killed", "stopped"} {
				t.Run(mode+" "+whenDown+" "+end, func(t *testing.T) { ghosts(t, mode, whenDown, end == "killed") })
			}
		}
	}
}

func ghosts(t *testing.T, mode, whenDown string, kill bool) {
	network := lab.StartNetwork(t)
	dc := lab.StartDC(t, lab.DCOptions{On: network.DCs[0], Anonymous: true, NSPIPort: lab.StaticPort, Deaf: true})
	proxy := lab.StartPath(t, network, lab.PathOptions{
		Mode: mode, Limit: 50, DCs: []*lab.DC{dc}, Listed: network.DCs[:1], WhenDown: whenDown, Relay: "  shutdown_timeout: 0s",
	})
	clients := make([]*returning, ghostClients)
	for i := range clients {
		clients[i] = &returning{on: network.Clients[0], to: netip.AddrPortFrom(lab.Families[i%2].Of(network.DCs[0]), lab.StaticPort)}
	}
	all := func() (direct int) {
		for _, c := range clients {
			c.work(t)
		}
		checkGhosts(t, proxy, dc, clients)
		return proxy.Passing(t)
	}
	if all() != 0 {
		t.Error("connections pass by a proxy that runs")
	}
	for range ghostRounds {
		if kill {
			proxy.Kill()
		} else {
			proxy.Stop(t, lab.StopTime)
		}
		lab.RunRules(t, network.Router, "--on-stop")
		if whenDown == "open" {
			for _, c := range clients {
				c.work(t)
			}
		}
		proxy.Apply(t)
		proxy.Serve(t)
		if direct := all(); (direct > 0) != (whenDown == "open") {
			t.Errorf("%d connections pass by", direct)
		}
	}
	for _, c := range clients {
		c.conn.Close()
	}
	lab.Eventually(t, lab.SettleTime, "no connection passes by", func() bool { return proxy.Passing(t) == 0 })
	lab.CheckHeld(t, proxy.Proxy, dc, 0)
}

// checkGhosts compares what the domain controller has with what is known.
func checkGhosts(t *testing.T, proxy *lab.PathProxy, dc *lab.DC, clients []*returning) {
	t.Helper()
	const want = ghostClients * ghostSessions
	var has int
	var held float64
	defer func() {
		if t.Failed() {
			t.Logf("the domain controller has %d sessions, the proxy %v, %d connections pass by", has, held, proxy.Passing(t))
		}
	}()
	lab.Eventually(t, lab.SettleTime, "the domain controller has what is known", func() bool {
		has, held = dc.Count(t).Sessions, proxy.Metrics(t).Sum("nspiproxy_sessions_held")
		passing := proxy.Passing(t)
		return has == want && int(held)+ghostSessions*passing == want &&
			int(proxy.Metrics(t).Sum("nspiproxy_direct_connections")) == passing
	})
}

// returning is a client that wants its sessions all the time.
type returning struct {
	on   *lab.Machine
	to   netip.AddrPort
	conn *lab.Conn
}

// work uses the client's sessions. If it has lost them, it makes new ones.
func (r *returning) work(t *testing.T) {
	t.Helper()
	if r.conn != nil {
		handle, _, err := r.conn.NspiBind()
		if err == nil {
			_, err = r.conn.NspiUnbind(handle)
		}
		if err == nil {
			return
		}
		r.conn.Close()
	}
	tcp, err := r.on.Dial(r.to.String(), netip.Addr{})
	if err != nil {
		t.Fatal(err)
	}
	r.conn = lab.NewConn(tcp)
	t.Cleanup(func() { _ = tcp.Close() })
	if err := r.conn.Bind(0); err != nil {
		t.Fatal(err)
	}
	for range ghostSessions {
		if _, code, err := r.conn.NspiBind(); err != nil || code != nspi.Success {
			t.Fatalf("NspiBind: %v %v", code, err)
		}
	}
}
