package transparent

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/nspiproxy/nspiproxy/policy"
)

// machine is a router with interfaces of many kinds.
var machine = []link{
	{index: 1, name: "lo", address: true},
	{index: 2, name: "eth0", address: true},
	{index: 3, name: "eth1", master: 10, other: []string{"enp3s0"}},
	{index: 4, name: "eth2", master: 11},
	{index: 5, name: "eth3"}, // with VLANs on it
	{index: 6, name: "eth4", address: true, other: []string{"wan"}},
	{index: 7, name: "eth5", master: 12, address: true},
	{index: 8, name: "eth6", address: true}, // a macvlan takes all of it
	{index: 10, name: "br0", kind: "bridge", address: true, filter: []string{"nf_call_iptables"}},
	{index: 11, name: "bond0", kind: "bond", address: true},
	{index: 12, name: "blue", kind: "vrf"},
	{index: 13, name: "eth3.100", kind: "vlan", below: 5, address: true},
	{index: 14, name: "eth4.7", kind: "vlan", below: 6, address: true},
	{index: 15, name: "vrrp.51", kind: "macvlan", below: 6, address: true},
	{index: 16, name: "idle", kind: "macvlan", below: 2},
	{index: 17, name: "all", kind: "macvlan", below: 8, takes: true},
	{index: 18, name: "ppp0", kind: "ppp", address: true},
	{index: 19, name: "veth", kind: "veth", below: 20},
	{index: 20, name: "peer", kind: "veth", below: 19},
}

func TestInterfacesOnWhichNothingArrivesUnderTheirNameAreFound(t *testing.T) {
	for interfaces, want := range map[string]string{
		"eth0":          "",
		"eth0 ppp*":     "",
		"br0":           "",
		"eth9":          "NoInterface eth9",
		"Eth0":          "NoInterface Eth0",
		"tun*":          "NoInterface tun*",
		"eth9 tun* et":  "NoInterface eth9, tun*, et",
		"enp3s0":        "OtherName enp3s0 (of eth1)",
		"wan eth4":      "Beside vrrp.51 (on eth4)",
		"eth1":          "PartOf eth1 (part of br0)",
		"eth1 br0":      "",
		"eth1 br*":      "",
		"eth2":          "PartOf eth2 (part of bond0)",
		"eth5":          "", // rules see packets of a VRF under both names
		"eth3":          "Below eth3 (below eth3.100)",
		"eth3 eth3.*":   "",
		"eth3*":         "",
		"eth3.100":      "",
		"eth4 vrrp.51":  "",
		"vrrp.51":       "",
		"eth6":          "Below eth6 (below all)",
		"all":           "",
		"veth":          "",
		"eth*":          "Beside vrrp.51 (on eth4)", // one of them is enough
		"eth1* eth2*":   "PartOf eth1* (eth1 is part of br0), eth2* (eth2 is part of bond0)",
		"eth0 eth1 en0": "NoInterface en0|PartOf eth1 (part of br0)",
	} {
		var l policy.Listener
		for _, name := range strings.Fields(interfaces) {
			l.Interfaces = append(l.Interfaces, policy.InterfaceName(name))
		}
		var ps problems
		ps.checkInterfaces(l, machine)
		if got := shorthand(ps); got != want {
			t.Errorf("%s: %q, want %q", interfaces, got, want)
		}
	}
}

// shorthand writes kinds and values.
func shorthand(ps problems) string {
	names := map[ProblemKind]string{NoInterface: "NoInterface", OtherName: "OtherName", PartOf: "PartOf", Below: "Below", Beside: "Beside",
		BridgeFilter: "BridgeFilter", NoRoute: "NoRoute", OwnAddress: "OwnAddress", RoutedBack: "RoutedBack", NoForwarding: "NoForwarding", Unknown: "Unknown"}
	var all []string
	for _, p := range slices.SortedFunc(slices.Values(ps), Problem.compare) {
		all = append(all, names[p.Kind]+" "+p.Subjects())
	}
	return strings.Join(all, "|")
}

func TestProblemsListAFewValuesAndCountTheRest(t *testing.T) {
	var ps problems
	for i := range 20 {
		ps.add("a", NoInterface, fmt.Sprintf("eth%d", i))
		ps.add("b", NoInterface, "eth0")
	}
	const want = "listener a: interfaces: eth0, eth1, eth2, eth3, eth4, eth5, eth6, eth7 and 12 more: no interface of this machine has this name"
	if len(ps) != 2 || !strings.HasPrefix(ps[0].String(), want) || ps[1].Subjects() != "eth0" {
		t.Errorf("%v", ps)
	}
}

// REDIRECT works there.
func TestBridgesThatApplyRulesForIPPacketsAreFound(t *testing.T) {
	for _, c := range []struct {
		mode       policy.Mode
		interfaces []policy.InterfaceName
		want       string
	}{
		{policy.ModeTPROXY, []policy.InterfaceName{"br0"}, "BridgeFilter nf_call_iptables of br0"},
		{policy.ModeTPROXY, []policy.InterfaceName{"eth0", "br*"}, "BridgeFilter nf_call_iptables of br0"},
		{policy.ModeTPROXY, nil, "BridgeFilter nf_call_iptables of br0"},
		{policy.ModeTPROXY, []policy.InterfaceName{"eth0"}, ""},
		{policy.ModeRedirect, nil, ""},
	} {
		var ps problems
		ps.checkBridges(policy.Listener{Mode: c.mode, Interfaces: c.interfaces}, machine)
		if got := shorthand(ps); got != c.want {
			t.Errorf("%s from %v: %q, want %q", c.mode, c.interfaces, got, c.want)
		}
	}
}
