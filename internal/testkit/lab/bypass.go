package lab

import "testing"

// Bypass gives the machine a way of its own to another one, past the router: what it sends to the other one's addresses takes
// that way, what the other one sends does not. That is an asymmetric return path.
func (m *Machine) Bypass(t testing.TB, other *Machine) {
	t.Helper()
	m.Run(t, "ip", "link", "add", "name", bypass, "type", "veth", "peer", "name", bypass, "netns", other.ns.Path())
	for n, end := range []*Machine{m, other} {
		end.Run(t, "sysctl", "-qw", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf."+bypass+".rp_filter=0")
		end.Run(t, "ip", "addr", "add", address(bypassNumber, n+1).String()+"/24", "dev", bypass)
		end.Run(t, "ip", "addr", "add", address6(bypassNumber, n+1).String()+"/64", "dev", bypass, "nodad")
		end.Run(t, "ip", "link", "set", "dev", bypass, "up")
	}
	m.Run(t, "ip", "route", "add", address(other.number, 0).String()+"/24", "via", address(bypassNumber, 2).String(), "dev", bypass, "onlink")
	m.Run(t, "ip", "route", "add", address6(other.number, 0).String()+"/64", "via", address6(bypassNumber, 2).String(), "dev", bypass, "onlink")
}

// EndBypass takes it away again.
func (m *Machine) EndBypass(t testing.TB) { t.Helper(); m.Run(t, "ip", "link", "del", "dev", bypass) }

const (
	bypass       = "bypass" // the interface at both ends
	bypassNumber = 20       // N of its addresses
)
