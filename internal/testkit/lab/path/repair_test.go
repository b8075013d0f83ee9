//go:build lab

package path

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/internal/testkit/lab"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

const (
	repairLimit = 5
	repairBinds = 7
	// repairTime is how soon what was changed is in force again. It takes some tens of milliseconds; a busy machine gets more.
	repairTime = 3 * time.Second
)

// damages are what others do to the rules while the proxy serves, with the reason that the proxy gives. Repairs are half a
// second apart, so that not all are tried where they are the same.
var damages = []struct{ name, script, reason, when string }{
	{"on-stop", "nspiproxy rules --on-stop", "rules", "open"},
	{"remove", "nspiproxy rules --remove", "table", ""},
	{"another configuration", "nspiproxy rules --config OTHER --apply", "configuration", ""},
	{"flush ruleset", "nft flush ruleset", "table", ""},
	{"flush table", "nft flush table inet nspiproxy", "rules", "open"},
	{"delete table", "nft delete table inet nspiproxy", "table", "open"},
	{"flush chain", "nft flush chain inet nspiproxy CHAIN", "rules", ""},
	{"delete rule", "nft delete rule inet nspiproxy CHAIN handle $(nft -a list chain inet nspiproxy CHAIN | sed -n 's/.* handle //p' | sed -n 2p)", "rules", "open"},
	{"dormant", "nft add table inet nspiproxy '{ flags dormant; }'", "rules", "open"},
	{"routing", "ip -4 rule flush protocol 78; ip -6 route flush table 20051", "routing", ""},
}

// TestPathChangedRulesAreRepaired: whatever others have done to them, a moment later the limit is in force again. With each
// damage a client wants more sessions than it may have.
func TestPathChangedRulesAreRepaired(t *testing.T) {
	for mode := range lab.Modes {
		for _, whenDown := range []string{"open", "closed"} {
			t.Run(mode+" "+whenDown, func(t *testing.T) {
				t.Parallel() // they wait most of the time: repairs are half a second apart
				repaired(t, mode, whenDown)
			})
		}
	}
}

func repaired(t *testing.T, mode, whenDown string) {
	network := lab.StartNetwork(t)
	dc := lab.StartDC(t, lab.DCOptions{On: network.DCs[0], Anonymous: true, NSPIPort: lab.StaticPort})
	proxy := lab.StartPath(t, network, lab.PathOptions{
		Mode: mode, Limit: repairLimit, DCs: []*lab.DC{dc}, Listed: network.DCs[:1], WhenDown: whenDown,
	})
	chain := map[string]string{"tproxy": "intercepted", "redirect": "redirected"}[mode]
	to := netip.AddrPortFrom(network.DCs[0].Address, lab.StaticPort)
	for i, d := range damages {
		if d.reason == "routing" && mode == "redirect" || d.when == "open" && whenDown == "closed" {
			continue
		}
		before := len(proxy.Events("intercept.ok"))
		began := time.Now()
		proxy.Damage(t, strings.ReplaceAll(d.script, "CHAIN", chain))
		lab.Eventually(t, repairTime, d.name+" is repaired", func() bool { return len(proxy.Events("intercept.ok")) > before })
		t.Logf("%s is repaired after %s", d.name, time.Since(began).Round(time.Millisecond))
		ok, failed := proxy.Events("intercept.ok")[before], proxy.Events("intercept.error")
		if len(failed) != before+1 || failed[before]["reason"] != d.reason || ok["repaired"] != true {
			t.Errorf("%s: the log has %v and then %v, want reason %q", d.name, failed[min(before, len(failed)):], ok, d.reason)
		}
		if proxy.Metrics(t)["nspiproxy_intercepting"] != 1 {
			t.Errorf("%s: the metrics do not say that connections come here", d.name)
		}
		checkLimited(t, proxy, dc, to, network.Clients[0].More(i))
	}
	if n := proxy.Metrics(t)["nspiproxy_intercept_repairs_total"]; int(n) != len(proxy.Events("intercept.ok")) {
		t.Errorf("the metrics count %v repairs", n)
	}
}

// checkLimited wants more sessions than the limit, on as many connections from one address.
func checkLimited(t *testing.T, proxy *lab.PathProxy, dc *lab.DC, to netip.AddrPort, client netip.Addr) {
	t.Helper()
	var all []*lab.Conn
	granted := 0
	for range repairBinds {
		tcp, err := proxy.Network.Clients[0].Dial(to.String(), client)
		if err != nil {
			t.Fatalf("%s: %v", client, err)
		}
		c := lab.NewConn(tcp)
		all = append(all, c)
		if err := c.Bind(0); err != nil {
			t.Fatalf("%s: %v", client, err)
		}
		_, code, err := c.NspiBind()
		if err != nil {
			t.Fatalf("%s: %v", client, err)
		}
		if code == nspi.Success {
			granted++
		}
	}
	if has := dc.Count(t).Sessions; granted != repairLimit || has != repairLimit {
		t.Errorf("%s: %d binds are granted, the domain controller has %d sessions, want %d", client, granted, has, repairLimit)
	}
	for _, c := range all {
		c.Close()
	}
	lab.CheckHeld(t, proxy.Proxy, dc, 0)
}

// TestPathRulesAreAppliedAtTheStart: where there are none, or others, those that the program needs are in force when it says
// that it is ready. No rules --apply was before.
func TestPathRulesAreAppliedAtTheStart(t *testing.T) {
	lab.InBothModes(t, func(t *testing.T, mode string) {
		network := lab.StartNetwork(t)
		dc := lab.StartDC(t, lab.DCOptions{On: network.DCs[0], Anonymous: true, NSPIPort: lab.StaticPort})
		proxy := lab.StartPath(t, network, lab.PathOptions{Mode: mode, Limit: repairLimit, DCs: []*lab.DC{dc}, Listed: network.DCs[:1]})
		to := netip.AddrPortFrom(network.DCs[0].Address, lab.StaticPort)
		for _, before := range []struct{ script, reason string }{
			{"nspiproxy rules --remove", "table"},
			{"nspiproxy rules --config OTHER --apply", "configuration"},
			{"nft flush table inet nspiproxy", "rules"},
		} {
			proxy.Stop(t, lab.StopTime)
			proxy.Damage(t, before.script)
			proxy.Serve(t)
			checkLimited(t, proxy, dc, to, network.Clients[0].Address)
			if failed := proxy.Events("intercept.error"); len(failed) != 1 || failed[0]["reason"] != before.reason || len(proxy.Events("intercept.ok")) != 1 {
				t.Errorf("%s: the log has %v", before.script, failed)
			}
		}
	})
}

// TestPathDamageIsSaidWhereItMayNotBeRepaired, once, and by the metrics as long as it lasts.
func TestPathDamageIsSaidWhereItMayNotBeRepaired(t *testing.T) {
	network := lab.StartNetwork(t)
	dc := lab.StartDC(t, lab.DCOptions{On: network.DCs[0], Anonymous: true, NSPIPort: lab.StaticPort})
	proxy := lab.StartPath(t, network, lab.PathOptions{
		Mode: "tproxy", Limit: repairLimit, DCs: []*lab.DC{dc}, Listed: network.DCs[:1], NoRepair: true,
	})
	intercepting := func(want float64) {
		t.Helper()
		lab.Eventually(t, repairTime, fmt.Sprint("nspiproxy_intercepting is ", want), func() bool {
			is, ok := proxy.Metrics(t)["nspiproxy_intercepting"]
			return ok && is == want
		})
	}
	intercepting(1)
	proxy.Damage(t, "nft flush table inet nspiproxy")
	intercepting(0)
	proxy.Damage(t, "sleep 1.5") // it looks again and again
	if failed := proxy.Events("intercept.error"); len(failed) != 1 || failed[0]["reason"] != "rules" {
		t.Errorf("the log has %v", failed)
	}
	proxy.Apply(t)
	intercepting(1)
	checkLimited(t, proxy, dc, netip.AddrPortFrom(network.DCs[0].Address, lab.StaticPort), network.Clients[0].Address)
	if ok := proxy.Events("intercept.ok"); len(ok) != 1 || ok[0]["repaired"] != false {
		t.Errorf("the log has %v", ok)
	}
}

// TestPathRulesAreRepairedUntilTheProgramEnds, also while it waits for connections to end; then nobody touches them.
func TestPathRulesAreRepairedUntilTheProgramEnds(t *testing.T) {
	lab.InBothModes(t, repairedUntilTheEnd)
}

func repairedUntilTheEnd(t *testing.T, mode string) {
	network := lab.StartNetwork(t)
	dc := lab.StartDC(t, lab.DCOptions{On: network.DCs[0], Anonymous: true, NSPIPort: lab.StaticPort})
	proxy := lab.StartPath(t, network, lab.PathOptions{Mode: mode, Limit: repairLimit, DCs: []*lab.DC{dc}, Listed: network.DCs[:1]})
	c := connectTo(t, network.Clients[0], netip.AddrPortFrom(network.DCs[0].Address, lab.StaticPort))
	if err := c.Bind(0); err != nil {
		t.Fatal(err)
	}
	proxy.Terminate()
	lab.Eventually(t, lab.SettleTime, "it stops", func() bool { return len(proxy.Events("stopping")) > 0 })
	proxy.Damage(t, "nft flush ruleset")
	lab.Eventually(t, repairTime, "the rules are repaired", func() bool { return len(proxy.Events("intercept.ok")) > 0 })
	if _, code, err := c.NspiBind(); err != nil || code != nspi.Success {
		t.Errorf("a connection from before: %v, %v", code, err)
	}
	c.Close()
	lab.Eventually(t, lab.SettleTime, "it ends", proxy.Ended)
	proxy.Damage(t, "nft flush ruleset; sleep 1.5; test -z \"$(nft list ruleset)\"")
}

// TestPathClosedWayOutlivesAFirewallReload: while the program is down, a firewall flushes all rules. Its own keep clients away, and
// are not in the way of the program when it is back.
func TestPathClosedWayOutlivesAFirewallReload(t *testing.T) {
	lab.InBothModes(t, func(t *testing.T, mode string) {
		network := lab.StartNetwork(t)
		dc := lab.StartDC(t, lab.DCOptions{On: network.DCs[0], Anonymous: true, NSPIPort: lab.StaticPort})
		proxy := lab.StartPath(t, network, lab.PathOptions{Mode: mode, Limit: repairLimit, DCs: []*lab.DC{dc}, Listed: network.DCs[:1], WhenDown: "closed"})
		t.Cleanup(func() { network.Router.Run(t, "nft", "delete table inet firewall") })
		const reload = `nft flush ruleset; nft -f - <<'E'
table inet firewall {
	chain forward {
		type filter hook forward priority filter; policy accept;
		ip daddr 10.77.2.0/24 tcp dport { 135, 6004 } reject with tcp reset
		ip6 daddr fd77:2::/64 tcp dport { 135, 6004 } reject with tcp reset
	}
}
E`
		proxy.Kill()
		proxy.Damage(t, reload)
		for _, f := range lab.Families {
			for _, port := range []uint16{lab.PortEPM, lab.StaticPort} {
				to := netip.AddrPortFrom(f.Of(network.DCs[0]), port)
				if conn, err := network.Clients[0].Dial(to.String(), netip.Addr{}); err == nil {
					conn.Close()
					t.Errorf("a client reaches %s", to)
				}
			}
		}
		proxy.Serve(t)
		checkLimited(t, proxy, dc, netip.AddrPortFrom(network.DCs[0].Address, lab.StaticPort), network.Clients[0].Address)
		proxy.Damage(t, reload)
		lab.Eventually(t, repairTime, "the rules are repaired", func() bool { return len(proxy.Events("intercept.ok")) == 2 })
		checkLimited(t, proxy, dc, netip.AddrPortFrom(network.DCs[0].Address, lab.StaticPort), network.Clients[0].Address)
	})
}
