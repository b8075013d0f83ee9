package policy

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// maxListed bounds the backends, networks, interfaces and ports that a listener
// lists: connections and packets are compared with them.
const maxListed = 256

// firstDynamicPort begins the range from which Windows Server 2008 and later, and Samba, take
// the ports of services that have none of their own.
const firstDynamicPort = 49152

// maxTransparent bounds the transparent listeners: each is a rule that packets
// pass, on a machine with a handful of networks.
const maxTransparent = 32

// The keys that only one kind of listener has.
var (
	forwardKeys     = []string{"address", "backend", "backends", "epm_port", "proxy_protocol_from", "referral_name"}
	transparentKeys = []string{"port", "destinations", "interfaces", "nspi_ports"}
)

// listeners checks each listener, and that they do not get in each other's way.
func (v *validator) listeners() {
	names, taken, ports := map[string]string{}, v.backendEndpoints(), map[uint16]string{}
	var transparent []int
	for i := range v.cfg.Listeners {
		l, path := &v.cfg.Listeners[i], fmt.Sprintf("listeners[%d]", i)
		unique(v, names, l.Name, path+".name", "a name of its own for each listener")
		switch {
		case !v.given(path) || v.unread(path+".mode"):
		case l.Mode.Transparent():
			transparent = append(transparent, i)
		default:
			v.forwardListener(path, l)
			v.forwardPorts(path, l, taken, ports)
		}
	}
	if len(transparent) > maxTransparent {
		v.problem("listeners", fmt.Sprintf("%d transparent listeners", len(transparent)), fmt.Sprintf("at most %d", maxTransparent))
		transparent = transparent[:maxTransparent]
	}
	for n, i := range transparent {
		l, path := &v.cfg.Listeners[i], fmt.Sprintf("listeners[%d]", i)
		v.transparentListener(path, l)
		unique(v, ports, l.Port, path+".port", "a port that no other listener has: this one listens on all addresses")
		v.disjoint(transparent[:n], i)
	}
	v.ledAway()
	v.unusedBackends()
}

// ledAway warns of forward listeners whose clients may be taken by a transparent
// one, which goes on to the forward listener: both count their sessions.
func (v *validator) ledAway() {
	for i := range v.cfg.Listeners {
		l := &v.cfg.Listeners[i]
		if l.Mode.Transparent() || !l.Address.IsValid() {
			continue
		}
		for _, other := range v.cfg.TransparentListeners() {
			if other.LeadsTo(l.Address) {
				v.warn(fmt.Sprintf("listeners[%d].address", i), fmt.Sprintf("%v, among the destinations of listener %s: sessions may be counted by both", l.Address, other.Name),
					"an address that is not the domain controllers'")
			}
		}
	}
}

// otherKeys reports keys that listeners of that mode do not have.
func (v *validator) otherKeys(path string, mode Mode, keys []string) {
	for _, key := range keys {
		if v.given(path + "." + key) {
			v.problem(path+"."+key, "a key of other modes", fmt.Sprintf("no %s in mode %s", key, mode))
		}
	}
}

// fewEnough reports a list that is too long.
func (v *validator) fewEnough(path string, n int) {
	if n > maxListed {
		v.problem(path, fmt.Sprintf("%d entries", n), fmt.Sprintf("at most %d", maxListed))
	}
}

func (v *validator) forwardListener(path string, l *Listener) {
	v.otherKeys(path, l.Mode, transparentKeys)
	v.missing(path, "address", "an IP address")
	switch one, several := v.given(path+".backend"), v.given(path+".backends"); {
	case one && several:
		v.problem(path+".backends", "backend and backends", "one of them")
	case !several:
		v.missing(path, "backend", "the name of a backend, or backends")
	}
	v.knownBackend(path+".backend", l.Backend)
	v.fewEnough(path+".backends", len(l.Backends))
	members := map[string]string{}
	for i, name := range l.Backends[:min(len(l.Backends), maxListed)] {
		member := fmt.Sprintf("%s.backends[%d]", path, i)
		v.knownBackend(member, name)
		unique(v, members, name, member, "each backend once")
	}
	v.fewEnough(path+".proxy_protocol_from", len(l.ProxyProtocolFrom))
	for i, p := range l.ProxyProtocolFrom {
		if p.Bits() == 0 {
			v.problem(fmt.Sprintf("%s.proxy_protocol_from[%d]", path, i), p.String()+", everybody",
				"the addresses of load balancers: who sends a PROXY header chooses whose sessions are counted")
		}
	}
	if strings.Contains(string(l.ReferralName), "_") {
		v.problem(path+".referral_name", quote(string(l.ReferralName)), "the name of a host, such as gc-proxy.corp.example")
	}
}

// forwardPorts checks that nobody else listens where l does, and adds the ports.
func (v *validator) forwardPorts(path string, l *Listener, taken map[netip.AddrPort]string, ports map[uint16]string) {
	if !l.Address.IsValid() {
		return
	}
	for _, port := range v.cfg.fixedPorts(l) {
		ports[port] = path
		unique(v, taken, netip.AddrPortFrom(l.Address, port), path+".address",
			"an address and port that no other listener and no backend has")
	}
}

func (v *validator) transparentListener(path string, l *Listener) {
	v.otherKeys(path, l.Mode, forwardKeys)
	v.missing(path, "port", "a TCP port from 1 to 65535")
	v.missing(path, "destinations", "a list")
	v.fewEnough(path+".destinations", len(l.Destinations))
	v.fewEnough(path+".interfaces", len(l.Interfaces))
	v.fewEnough(path+".nspi_ports", len(l.NSPIPorts))
	if l.Mode == ModeRedirect && l.Port >= firstDynamicPort {
		v.warn(path+".port", fmt.Sprintf("%d, in the range from which domain controllers take the ports of NSPI", l.Port), fmt.Sprintf("a port below %d", firstDynamicPort))
	}
	v.destinations(path+".destinations", l.Destinations)
	v.interfaces(path+".interfaces", l.Interfaces)
	ports := map[uint16]string{}
	for i, port := range l.NSPIPorts {
		at := fmt.Sprintf("%s.nspi_ports[%d]", path, i)
		unique(v, ports, port, at, "each port once")
		if port == epmPort {
			v.problem(at, fmt.Sprintf("%d, the port of the endpoint mapper", port), "a port of NSPI; the endpoint mapper's is always led here")
		}
	}
}

// interfaces checks the interfaces of one transparent listener.
func (v *validator) interfaces(path string, names []InterfaceName) {
	seen := map[InterfaceName]string{}
	for i, name := range names[:min(len(names), maxListed)] {
		at := fmt.Sprintf("%s[%d]", path, i)
		unique(v, seen, name, at, "each interface once")
		if name.Matches(loopback) {
			v.problem(at, describeLoopback(name), "an interface where clients arrive")
			continue
		}
		for _, other := range names[:min(len(names), maxListed)] {
			if other != name && other.Covers(name) && name != "" {
				v.problem(at, fmt.Sprintf("%s, which %s stands for", name, other), "each interface once")
				break
			}
		}
	}
}

// describeLoopback says of a name that stands for lo what is wrong with it.
func describeLoopback(name InterfaceName) string {
	const why = "which carries this machine's own connections"
	if name.IsWildcard() {
		return fmt.Sprintf("%s, also for lo, %s", name, why)
	}
	return fmt.Sprintf("%s, %s", name, why)
}

// Networks that no domain controller can be reached in through this machine.
var unreachable = []struct {
	network netip.Prefix
	why     string
}{
	{netip.MustParsePrefix("0.0.0.0/8"), "no host"},
	{netip.MustParsePrefix("127.0.0.0/8"), "this machine itself"},
	{netip.MustParsePrefix("169.254.0.0/16"), "link-local addresses, which no router forwards"},
	{netip.MustParsePrefix("224.0.0.0/3"), "no host"}, // multicast, reserved, broadcast
	{netip.MustParsePrefix("::/127"), "this machine itself"},
	{netip.MustParsePrefix("fe80::/10"), "link-local addresses, which no router forwards"},
	{netip.MustParsePrefix("ff00::/8"), "no host"},
}

// destinations checks the networks of one transparent listener.
func (v *validator) destinations(path string, networks []netip.Prefix) {
	for i, p := range networks[:min(len(networks), maxListed)] {
		at := fmt.Sprintf("%s[%d]", path, i)
		if why := noDestination(p); why != "" {
			v.problem(at, describeNetwork(p)+", "+why, "the networks of the domain controllers")
		} else if j := firstOverlap(networks[:i], p); j >= 0 {
			v.problem(at, describeNetwork(p)+", which overlaps "+describeNetwork(networks[j]), "each address once")
		}
	}
}

// noDestination says why p cannot be a destination; empty: it can.
func noDestination(p netip.Prefix) string {
	if p.IsValid() && p.Bits() == 0 {
		return "all addresses"
	}
	for _, u := range unreachable {
		if p.Overlaps(u.network) {
			return fmt.Sprintf("which overlaps %v (%s)", u.network, u.why)
		}
	}
	return ""
}

// firstOverlap returns the first of networks that has addresses of p, or -1.
// What is no destination was reported already.
func firstOverlap(networks []netip.Prefix, p netip.Prefix) int {
	return slices.IndexFunc(networks[:min(len(networks), maxListed)], func(q netip.Prefix) bool {
		return p.Overlaps(q) && noDestination(q) == ""
	})
}

// disjoint reports destinations of listener i that an earlier transparent
// listener takes from the same interface.
func (v *validator) disjoint(earlier []int, i int) {
	l := &v.cfg.Listeners[i]
	for k, p := range l.Destinations[:min(len(l.Destinations), maxListed)] {
		for _, j := range earlier {
			other := &v.cfg.Listeners[j]
			at := firstOverlap(other.Destinations, p)
			if at < 0 || !l.sharesInterface(other) {
				continue
			}
			line := v.places[fmt.Sprintf("listeners[%d].destinations[%d]", j, at)].line
			v.problem(fmt.Sprintf("listeners[%d].destinations[%d]", i, k),
				fmt.Sprintf("%s, which overlaps %s on line %d", describeNetwork(p), describeNetwork(other.Destinations[at]), line),
				"networks that no other listener takes from the same interfaces")
			break
		}
	}
}

// sharesInterface reports whether packets from one interface can be for both.
func (l *Listener) sharesInterface(other *Listener) bool {
	if len(l.Interfaces) == 0 || len(other.Interfaces) == 0 {
		return true
	}
	return slices.ContainsFunc(l.Interfaces, func(name InterfaceName) bool {
		return name != "" && slices.ContainsFunc(other.Interfaces, name.overlaps)
	})
}
