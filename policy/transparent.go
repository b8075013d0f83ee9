package policy

// Transparent is how packets are led to the transparent listeners.
type Transparent struct {
	// Mark is the firewall mark of packets that are led here. Default: 20051.
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
	return Transparent{Mark: 20051, RouteTable: 20051, StateFile: "/var/lib/nspiproxy/ports.json", WhenDown: FailOpen}
}
