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

const bridgePage = "deploy-bridge.md"

// bridgeAddresses are the page's and the lab's. The second domain controller of the page is none here.
var bridgeAddresses = []string{
	"10.0.5.11", "10.77.5.21", "10.0.5.12", "10.77.5.99", "fd00:5::11", "fd77:5::15", "fd00:5::12", "fd77:5::99",
}

// bridged is a machine in the cable between clients and domain controllers of one IP network, set up as the page has it.
type bridged struct {
	*lab.Switched
	bridge *lab.Machine
	dc     *lab.DC
	config string
}

func startBridged(t *testing.T) *bridged {
	t.Helper()
	s := lab.StartSwitched(t, 5, 5, 1)
	b := &bridged{Switched: s, bridge: s.Between[0]}
	shell := lab.PageBlocks(t, bridgePage, "sh")
	b.bridge.Run(t, "sh", "-ec", lab.Replaced(t, shell[0], "10.0.5.9", "10.77.5.9", "fd00:5::9", "fd77:5::9"))
	b.dc = lab.StartDC(t, lab.DCOptions{On: s.DCs[0], Anonymous: true})
	b.config = lab.Replaced(t, lab.PageBlocks(t, bridgePage, "yaml")[0], append(bridgeAddresses,
		"when_down: open", "when_down: open, state_file: '"+filepath.Join(lab.OrdinaryFolder(t), "ports.json")+"'",
		"dry_run: true ", "dry_run: false ", "limit: 50", "limit: 3")...)
	b.config += "identity: {networks: {ipv6: 128}}\n" // each of a client's addresses is another client
	return b
}

// route loads the rest of what the page says of the bridge.
func (b *bridged) route(t *testing.T) {
	t.Helper()
	b.bridge.Run(t, "sh", "-ec", lab.PageBlocks(t, bridgePage, "sh")[1])
	file := filepath.Join(t.TempDir(), "bridge.nft")
	rules := lab.Replaced(t, lab.PageBlocks(t, bridgePage, "nft")[0], bridgeAddresses...)
	if err := os.WriteFile(file, []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	b.bridge.Run(t, "nft", "-f", file)
}

// checkOthersPass looks whether everything but TCP to the domain controller passes without the proxy, in both directions.
func (b *bridged) checkOthersPass(t *testing.T) {
	t.Helper()
	client, server, other := b.Clients[0], b.DCs[0], b.DCs[1]
	seen := map[*lab.Machine]<-chan netip.AddrPort{server: echoOn(t, server, otherPort), other: echoOn(t, other, lab.PortEPM), client: echoOn(t, client, otherPort)}
	for _, f := range lab.Families {
		for _, pair := range [][2]*lab.Machine{{client, server}, {server, client}, {client, other}} {
			from, to := pair[0], pair[1]
			from.Ping(t, f.Of(to))
			lab.Datagram(t, from, to, netip.AddrPortFrom(f.Of(to), lab.PortEPM))
			port := uint16(otherPort)
			if to == other {
				port = lab.PortEPM
			}
			local, err := echoed(t, from, netip.AddrPortFrom(f.Of(to), port))
			if err != nil {
				t.Errorf("%s to %s: %v", from.Name, to.Name, err)
			} else if peer := <-seen[to]; peer != local {
				t.Errorf("%s sees %s instead of %s", to.Name, peer, local)
			}
		}
	}
}

// TestBridgePageWorksAsWritten: the proxy on the bridge limits, in both families; what is none of its business passes; a
// connection from before the page's table lives on; and what is undone leaves nothing.
func TestBridgePageWorksAsWritten(t *testing.T) {
	lab.CheckConfig(t, lab.PageBlocks(t, bridgePage, "yaml")[0])
	b := startBridged(t)
	before, early := lab.PacketFilter(t, b.bridge), lab.DialFrom(t, b.Clients[0], b.DCs[0].Address, netip.Addr{})
	lab.OpenSession(t, early)
	b.route(t)
	lab.OpenSession(t, early)
	early.Close()
	lab.Eventually(t, lab.SettleTime, "the domain controller knows of the end", func() bool { return b.dc.Count(t).Sessions == 0 })

	proxy := b.serve(t)
	b.checkLimit(t, proxy)
	taken := proxy.Metrics(t).Sum("nspiproxy_connections_total")
	b.checkOthersPass(t)
	if n := proxy.Metrics(t).Sum("nspiproxy_connections_total") - taken; n != 0 {
		t.Errorf("%v connections have come to the proxy that are none of its business", n)
	}

	if code := proxy.Stop(t, lab.StopTime); code != 0 {
		t.Errorf("nspiproxy ended with exit code %d", code)
	}
	lab.RunRules(t, b.bridge, strings.Fields(lab.PageCommand(t, bridgePage, "nspiproxy rules --remove"))[2:]...)
	b.bridge.Run(t, "sh", "-ec", lab.PageCommand(t, bridgePage, "nft delete table"))
	if after := lab.PacketFilter(t, b.bridge); after != before {
		t.Errorf("rules and routes were\n%s\nand are\n%s", before, after)
	}
	for _, f := range lab.Families {
		lab.CheckSeen(t, b.dc, lab.DialFrom(t, b.Clients[0], f.Of(b.DCs[0]), netip.Addr{}), f.Of(b.Clients[0]))
	}
}

// serve applies the rules and starts the proxy, as the page does by hand.
func (b *bridged) serve(t *testing.T) *lab.Proxy {
	t.Helper()
	o := lab.ProxyOptions{On: b.bridge, OrdinaryUser: true, Folder: lab.OrdinaryFolder(t), Config: b.config}
	lab.WritePrivate(t, o.File(), []byte(o.Config))
	if said := lab.RunRules(t, b.bridge, "--config", o.File(), "--apply"); said != "" {
		t.Errorf("nspiproxy rules --apply says %s", said)
	}
	return lab.StartProxy(t, o)
}

// checkLimit uses up the limit of each client in each family, and asks the domain controller what it has granted.
func (b *bridged) checkLimit(t *testing.T, proxy *lab.Proxy) {
	t.Helper()
	var all []*lab.Conn
	for _, client := range b.Clients {
		for _, f := range lab.Families {
			c := lab.DialFrom(t, client, f.Of(b.DCs[0]), netip.Addr{})
			lab.CheckSeen(t, b.dc, c, f.Of(client))
			for range pathLimit - 1 {
				lab.OpenSession(t, c)
			}
			if _, code, err := c.NspiBind(); err != nil || code != nspi.LogonFailed {
				t.Errorf("a bind above the limit: %s, %v", code, err)
			}
			all = append(all, c)
		}
	}
	lab.CheckHeld(t, proxy, b.dc, len(all)*pathLimit)
	for _, c := range all {
		c.Close()
	}
	lab.CheckNobodyLeft(t, proxy, b.dc)
}
