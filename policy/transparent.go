package policy

import (
	"fmt"
	"path"
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
}

// FailMode is what becomes of connections while the program does not run.
type FailMode string

// The two ways to fail.
const (
	// FailOpen lets clients reach the domain controllers directly.
	FailOpen FailMode = "open"
	// FailClosed lets nobody reach them.
	FailClosed FailMode = "closed"
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
	if v.given("transparent") && len(v.cfg.TransparentListeners()) == 0 {
		v.warn("transparent", "settings for transparent listeners, and no such listener", "a listener in mode tproxy or redirect")
	}
}
