package transparent

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/nspiproxy/nspiproxy/policy"
)

// Plan is what a configuration asks of the kernel. It is immutable.
type Plan struct {
	settings  policy.Transparent
	listeners []policy.Listener // the transparent ones
	hosts     []namedHost
}

// New returns the plan of a valid configuration.
func New(c *policy.Config) *Plan {
	p := &Plan{settings: c.Transparent, hosts: namedHosts(c.Backends)}
	for _, l := range c.Listeners {
		if l.Mode.Transparent() {
			p.listeners = append(p.listeners, l)
		}
	}
	return p
}

// Possible returns what of the plan this machine can do: without IPv6, nothing can be
// led to IPv6 networks, and no client reaches them through it either.
func (p *Plan) Possible() *Plan {
	if HasIPv6() {
		return p
	}
	q := &Plan{settings: p.settings, hosts: p.hosts}
	for _, l := range p.listeners {
		l.Destinations = slices.DeleteFunc(slices.Clone(l.Destinations), func(n netip.Prefix) bool { return ipv6.is(n.Addr()) })
		if len(l.Destinations) > 0 {
			q.listeners = append(q.listeners, l)
		}
	}
	return q
}

// Empty reports whether no listener is transparent: the kernel needs no rules.
func (p *Plan) Empty() bool { return len(p.listeners) == 0 }

// of returns the listeners of one mode.
func (p *Plan) of(m policy.Mode) []policy.Listener {
	return slices.DeleteFunc(slices.Clone(p.listeners), func(l policy.Listener) bool { return l.Mode != m })
}

// family is IPv4 or IPv6: their rules are the same but for words.
type family struct {
	flag       string // of ip
	network    string // of nft: "ip daddr"
	loopback   string // where TPROXY listeners are
	set        string // of learnt ports
	keyType    string // of that set
	is         func(netip.Addr) bool
	forwarding string // the sysctl that makes this machine a router
}

var (
	ipv4 = family{"-4", "ip", "127.0.0.1", setIPv4, "ipv4_addr", netip.Addr.Is4, "net.ipv4.ip_forward"}
	ipv6 = family{"-6", "ip6", "[::1]", setIPv6, "ipv6_addr", netip.Addr.Is6, "net.ipv6.conf.all.forwarding"}
	// families is both, in the order of rules and commands.
	families = []family{ipv4, ipv6}
)

// destinations returns the networks of that family in the given listeners: in
// order, each address once. Networks contain each other or have nothing in
// common, so it is enough to leave out those that another one contains.
func (f family) destinations(listeners ...policy.Listener) []netip.Prefix {
	var all []netip.Prefix
	for _, l := range listeners {
		for _, d := range l.Destinations {
			if f.is(d.Addr()) {
				all = append(all, d.Masked())
			}
		}
	}
	slices.SortFunc(all, netip.Prefix.Compare)
	var kept []netip.Prefix
	for _, d := range all {
		if len(kept) == 0 || !kept[len(kept)-1].Contains(d.Addr()) {
			kept = append(kept, d)
		}
	}
	return kept
}

// isDestination reports whether connections to a are led to a listener, on some ports.
func (p *Plan) isDestination(a netip.Addr) bool {
	return slices.ContainsFunc(p.listeners, func(l policy.Listener) bool {
		return slices.ContainsFunc(l.Destinations, func(d netip.Prefix) bool { return d.Contains(a) })
	})
}

// staticPorts returns the ports of l that need not be learnt, in order.
func staticPorts(l policy.Listener) []uint16 {
	ports := append([]uint16{epmPort}, l.NSPIPorts...)
	slices.Sort(ports)
	return slices.Compact(ports)
}

// setMark is the statement of nft that marks a packet for the routing rules. Bits that
// others have in the mark stay.
func (p *Plan) setMark() string {
	return fmt.Sprintf("meta mark set meta mark | %d", p.settings.Mark)
}
