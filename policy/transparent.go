package policy

import (
	"fmt"
	"net/netip"
	"path"
	"slices"
)

// Transparent is how packets are led to the transparent listeners.
type Transparent struct {
	// Mark is the bits of the firewall mark that packets have which are led here.
	// Default: 20051.
	Mark uint32 `yaml:"mark"`
	// RouteTable is the number of the routing table for marked packets. Default:
	// 20051.
	RouteTable int `yaml:"route_table"`
	// StateFile keeps the learnt ports over a restart. Default:
	// /var/lib/nspiproxy/ports.json.
	StateFile File `yaml:"state_file"`
	// WhenDown is what becomes of connections while the program does not run.
	// Default: open.
	WhenDown FailMode `yaml:"when_down"`
	// Repair has the program put rules and routes in force again that others have
	// changed, while it runs. Default: true.
	Repair bool `yaml:"repair"`
	// VirtualAddresses are addresses that this router and another one move between
	// each other: when one leaves this machine, the connections that came through it
	// are ended on both sides. Default: none.
	VirtualAddresses []netip.Addr `yaml:"virtual_addresses" need:"nonempty"`
	// SameProcess says whether ports of the domain controllers are taken on which
	// other interfaces of the process of NSPI are, because NSPI can be bound there as
	// well. Default: true with when_down closed, else false.
	SameProcess Switch `yaml:"same_process"`
}

// StandbySocket is where the running program takes the command standby: beside its
// state.
func (t *Transparent) StandbySocket() string { return string(t.StateFile) + ".sock" }

// FailMode is what becomes of connections while the program does not run.
type FailMode string

// The two ways to fail.
const (
	// FailOpen lets clients reach the domain controllers directly.
	FailOpen FailMode = "open"
	// FailClosed lets nobody reach them.
	FailClosed FailMode = "closed"
)

// TakesProcess reports whether ports are taken on which other interfaces of the process
// of NSPI are. Who would rather have nobody reach the domain controllers than anybody
// without a limit wants no way around it.
func (t *Transparent) TakesProcess() bool {
	if t.SameProcess == SwitchUnset {
		return t.WhenDown == FailClosed
	}
	return t.SameProcess == SwitchOn
}

// Switch is true, false, or what follows from other settings.
type Switch uint8

// The states of a switch.
const (
	SwitchUnset Switch = iota
	SwitchOn
	SwitchOff
)

func defaultTransparent() Transparent {
	return Transparent{Mark: 20051, RouteTable: 20051, StateFile: "/var/lib/nspiproxy/ports.json", WhenDown: FailOpen, Repair: true}
}

// The kernel's own routing tables: default, main and local (rt_tables(5)).
const (
	firstSystemTable = 253
	lastSystemTable  = 255
)

// transparent checks how packets are led to the transparent listeners.
func (v *validator) transparent() {
	t := &v.cfg.Transparent
	if firstSystemTable <= t.RouteTable && t.RouteTable <= lastSystemTable {
		v.problem("transparent.route_table", fmt.Sprintf("%d, a table of the system", t.RouteTable), "a table that nothing else uses")
	}
	if !path.IsAbs(string(t.StateFile)) {
		v.problem("transparent.state_file", quote(string(t.StateFile)), "an absolute path, such as /var/lib/nspiproxy/ports.json")
	}
	v.virtualAddresses(t.VirtualAddresses)
	if v.given("transparent") && len(v.cfg.TransparentListeners()) == 0 {
		v.warn("transparent", "settings for transparent listeners, and no such listener", "a listener in mode tproxy or redirect")
	}
}

// maxVirtualAddresses is more than the two of each family that a pair of routers has, on
// many networks.
const maxVirtualAddresses = 64

// virtualAddresses checks the addresses that routers move between each other.
func (v *validator) virtualAddresses(list []netip.Addr) {
	const key = "transparent.virtual_addresses"
	if len(list) > maxVirtualAddresses {
		v.problem(key, fmt.Sprintf("%d addresses", len(list)), fmt.Sprintf("at most %d", maxVirtualAddresses))
		return
	}
	for n, a := range list {
		switch {
		case !a.IsValid(): // was said where it was read
		case a.IsLoopback(), a.IsMulticast():
			v.problem(key, quote(a.String()), "an address that a router can have in a network")
		case slices.Contains(list[:n], a):
			v.problem(key, quote(a.String())+" twice", "each address once")
		}
	}
}
