//go:build lab

package path

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nspiproxy/nspiproxy/internal/testkit/lab"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

// aPage is a page of docs/ that puts the proxy on a router.
type aPage struct {
	name     string
	replace  []string                    // the page's addresses and names, and the lab's
	firewall func(t *testing.T) []string // rules, for chains with policy drop
	look     []string                    // commands that show what is in force
	own      bool                        // the domain controller sees the router's own address instead of the client's
	families []lab.Family
}

var pages = map[string]aPage{
	"tproxy": {
		name: "deploy-router.md",
		replace: []string{
			`10.0.5.0/24, "fd00:5::/64"`, `10.77.2.0/24, 10.77.4.0/24, "fd77:2::/64", "fd77:4::/64"`,
			"10.0.5.11", "10.77.2.2", "fd00:5::11", "fd77:2::2", "10.0.5.12", "10.77.4.2", "fd00:5::12", "fd77:4::2",
		},
		firewall: routerFirewall,
		look:     []string{"nft list table", "ip rule show"},
		families: lab.Families,
	},
	"redirect": {
		name:    "deploy-redirect.md",
		replace: []string{"10.0.5.11", "10.77.2.2", "10.0.5.12", "10.77.4.2"},
		firewall: func(*testing.T) []string { // as the page has it in words
			return []string{"tcp dport 5135 accept", "meta l4proto tcp ip daddr { 10.77.2.2, 10.77.4.2 } accept"}
		},
		own:      true,
		families: lab.Families[:1],
	},
}

// routerFirewall are the rules of the page's own list.
func routerFirewall(t *testing.T) []string {
	rules := []string{
		lab.PageCommand(t, "deploy-router.md", "meta mark"),
		lab.PageCommand(t, "deploy-router.md", "ct state untracked"),
		lab.PageCommand(t, "deploy-router.md", "meta l4proto tcp ip daddr"),
		lab.PageCommand(t, "deploy-router.md", "meta l4proto tcp ip6 daddr"),
	}
	all := strings.NewReplacer("10.0.5.0/24", "{ 10.77.2.0/24, 10.77.4.0/24 }", "fd00:5::/64", "{ fd77:2::/64, fd77:4::/64 }")
	for n := range rules {
		rules[n] = all.Replace(strings.TrimSpace(rules[n]))
	}
	return rules
}

// drop lets through what a careful administrator's firewall lets through, and the page's rules, the first of which is for the
// input hook.
func (p aPage) drop(t *testing.T, router *lab.Machine) {
	t.Helper()
	rules := p.firewall(t)
	script := "table inet careful {\n" +
		"  chain input { type filter hook input priority filter; policy drop; iif lo accept; ct state established,related accept; " +
		"meta l4proto ipv6-icmp accept; " + rules[0] + "; }\n" +
		"  chain output { type filter hook output priority filter; policy drop; oif lo accept; ct state established,related accept; " +
		"meta l4proto ipv6-icmp accept; " + strings.Join(rules[1:], "; ") + "; }\n}\n"
	file := filepath.Join(t.TempDir(), "careful.nft")
	if err := os.WriteFile(file, []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	router.Run(t, "nft", "-f", file)
}

// TestRouterPagesWorkAsWritten: the commands of the pages for TPROXY and REDIRECT, in their order, on a router with a firewall
// that drops what the pages do not name. The limit holds, the domain controller sees what the page says, and what is undone
// leaves nothing.
func TestRouterPagesWorkAsWritten(t *testing.T) {
	for mode, p := range pages {
		t.Run(mode, func(t *testing.T) {
			block := lab.PageBlocks(t, p.name, "yaml")[0]
			lab.CheckConfig(t, block)
			network := lab.StartNetwork(t)
			dc := lab.StartDC(t, lab.DCOptions{On: network.DCs[0], Anonymous: true})
			before := lab.PacketFilter(t, network.Router)
			network.Router.Run(t, "sh", "-ec", "sysctl -w net.ipv4.ip_forward=0")
			network.Router.Run(t, "sh", "-ec", lab.PageCommand(t, p.name, "sysctl -w net.ipv4.ip_forward"))
			p.drop(t, network.Router)
			proxy := p.serve(t, network, block)
			p.checkLimit(t, network, dc, proxy)
			for _, command := range p.look {
				if network.Router.Run(t, "sh", "-ec", lab.PageCommand(t, p.name, command)) == "" {
					t.Errorf("%s shows nothing", command)
				}
			}
			if code := proxy.Stop(t, lab.StopTime); code != 0 {
				t.Errorf("nspiproxy ended with exit code %d", code)
			}
			lab.RunRules(t, network.Router, strings.Fields(lab.PageCommand(t, "deploy-router.md", "nspiproxy rules --remove"))[2:]...)
			network.Router.Run(t, "nft", "delete table inet careful")
			if after := lab.PacketFilter(t, network.Router); after != before {
				t.Errorf("rules and routes were\n%s\nand are\n%s", before, after)
			}
			direct := lab.DialFrom(t, network.Clients[0], dc.Machine().Address, netip.Addr{})
			lab.CheckSeen(t, dc, direct, network.Clients[0].Address)
		})
	}
}

// serve applies the rules and starts the proxy with the page's configuration.
func (p aPage) serve(t *testing.T, network *lab.Network, block string) *lab.Proxy {
	t.Helper()
	folder := lab.OrdinaryFolder(t)
	pairs := append(p.replace, "interfaces: [eth1]", "interfaces: [client1, client2]", "dry_run: true", "dry_run: false", "limit: 50", "limit: 3",
		"transparent: {", "transparent: {state_file: '"+filepath.Join(folder, "ports.json")+"', ")
	o := lab.ProxyOptions{On: network.Router, OrdinaryUser: true, Folder: folder, Config: lab.Replaced(t, block, pairs...)}
	o.Config += "identity: {networks: {ipv6: 128}}\n" // each of a client's addresses is another client
	lab.WritePrivate(t, o.File(), []byte(o.Config))
	if said := lab.RunRules(t, network.Router, "--config", o.File(), "--apply"); said != "" {
		t.Errorf("nspiproxy rules --apply says %s", said)
	}
	return lab.StartProxy(t, o)
}

// checkLimit uses up the limit of each client in each family of the page.
func (p aPage) checkLimit(t *testing.T, network *lab.Network, dc *lab.DC, proxy *lab.Proxy) {
	t.Helper()
	var all []*lab.Conn
	for _, client := range network.Clients {
		for _, f := range p.families {
			c := lab.DialFrom(t, client, f.Of(network.DCs[0]), netip.Addr{})
			p.checkSeen(t, network, dc, c, f)
			for range pathLimit - 1 {
				lab.OpenSession(t, c)
			}
			if _, code, err := c.NspiBind(); err != nil || code != nspi.LogonFailed {
				t.Errorf("a bind above the limit: %s, %v", code, err)
			}
			all = append(all, c)
		}
	}
	lab.CheckHeld(t, proxy, dc, len(all)*pathLimit)
	for _, c := range all {
		c.Close()
	}
	lab.CheckNobodyLeft(t, proxy, dc)
}

// checkSeen opens a session and looks whose the domain controller takes its connection for.
func (p aPage) checkSeen(t *testing.T, network *lab.Network, dc *lab.DC, c *lab.Conn, f lab.Family) {
	t.Helper()
	if !p.own {
		lab.CheckSeen(t, dc, c, lab.EndsOf(c).Client.Addr())
		return
	}
	lab.OpenSession(t, c)
	for peer := range dc.Peers(t).Sessions {
		if peer.Addr() != f.Router(network.DCs[0]) {
			t.Errorf("the domain controller sees %s instead of the router", peer)
		}
	}
}
