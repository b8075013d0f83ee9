package transparent

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/nspiproxy/nspiproxy/policy"
)

// link is a network interface, as far as it decides under which name packets are
// seen by rules.
type link struct {
	index      int
	name       string
	other      []string // alternative names
	kind       string   // such as "bridge"; empty for hardware
	master     int      // index of what it is a port of; 0: of nothing
	below      int      // index of the interface that it stands on; 0: on none
	takes      bool     // a macvlan that takes every packet of the one below
	address    bool     // it has one that is not link-local
	own        []netip.Addr
	neighbours []netip.Addr // one for each of them: that of another machine there
	filter     []string     // of a bridge: the settings that have IP rules applied to what passes it
}

// stacked has the kinds of interfaces that take packets from the one below, so that
// these carry the name of the upper one.
var stacked = []string{"vlan", "macvlan", "macvtap", "ipvlan", "ipvtap", "macsec"}

// whole returns that of which k is a port, so that its packets carry another name.
// A VRF is none: rules see its packets under both names.
func (k link) whole(all []link) (link, bool) {
	i := slices.IndexFunc(all, func(other link) bool { return k.master != 0 && other.index == k.master && other.kind != "vrf" })
	if i < 0 {
		return link{}, false
	}
	return all[i], true
}

// on returns the interfaces that stand on k.
func (k link) on(all []link) (upper []link) {
	for _, other := range all {
		if other.below == k.index && other.index != k.index && slices.Contains(stacked, other.kind) {
			upper = append(upper, other)
		}
	}
	return upper
}

// checkInterfaces adds what is wrong with the interfaces of l.
func (ps *problems) checkInterfaces(l policy.Listener, all []link) {
	for _, name := range l.Interfaces {
		var meant []link
		for _, k := range all {
			if name.Matches(k.name) {
				meant = append(meant, k)
			}
		}
		if len(meant) == 0 {
			ps.noInterface(l, name, all)
			continue
		}
		if kind, value := elsewhere(l, name, meant, all); value != "" {
			ps.add(l.Name, kind, value)
		}
		for _, k := range meant {
			ps.beside(l, k, all)
		}
	}
}

// checkBridges adds the bridges where clients of l arrive on which TPROXY does not
// work.
func (ps *problems) checkBridges(l policy.Listener, all []link) {
	for _, k := range all {
		if l.Mode != policy.ModeTPROXY || len(l.Interfaces) > 0 && !lists(l, k.name) {
			continue
		}
		for _, setting := range k.filter {
			ps.add(l.Name, BridgeFilter, fmt.Sprintf("%s of %s", setting, k.name))
		}
	}
}

// noInterface adds a name that no interface has, or as an alternative one only.
func (ps *problems) noInterface(l policy.Listener, name policy.InterfaceName, all []link) {
	for _, k := range all {
		if slices.ContainsFunc(k.other, name.Matches) {
			if !lists(l, k.name) {
				ps.add(l.Name, OtherName, fmt.Sprintf("%s (of %s)", name, k.name))
			}
			return
		}
	}
	ps.add(l.Name, NoInterface, string(name))
}

// elsewhere says under which other name packets arrive if that is so of all
// interfaces that a name of l stands for; value is empty if it is not.
func elsewhere(l policy.Listener, name policy.InterfaceName, meant, all []link) (kind ProblemKind, value string) {
	for _, k := range meant {
		whole, part := k.whole(all)
		upper := k.on(all)
		taken := slices.ContainsFunc(upper, func(u link) bool { return u.takes })
		why := ""
		switch {
		case part && !lists(l, whole.name):
			kind, why = PartOf, fmt.Sprintf("part of %s", whole.name)
		case len(upper) > 0 && (taken || !k.address) && !slices.ContainsFunc(upper, func(u link) bool { return lists(l, u.name) }):
			kind, why = Below, fmt.Sprintf("below %s", upper[0].name)
		default:
			return 0, ""
		}
		if value == "" && name.IsWildcard() {
			value = fmt.Sprintf("%s (%s is %s)", name, k.name, why)
		} else if value == "" {
			value = fmt.Sprintf("%s (%s)", name, why)
		}
	}
	return kind, value
}

// beside adds the macvlans of k that l does not list.
func (ps *problems) beside(l policy.Listener, k link, all []link) {
	if !k.address {
		return // clients do not use it as their router
	}
	for _, u := range k.on(all) {
		if u.kind == "macvlan" && u.address && !u.takes && !lists(l, u.name) {
			ps.add(l.Name, Beside, fmt.Sprintf("%s (on %s)", u.name, k.name))
		}
	}
}
