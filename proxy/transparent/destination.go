package transparent

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/nspiproxy/nspiproxy/policy"
)

// routeTo is where packets of this machine to an address go.
type routeTo struct {
	none bool   // nowhere
	own  bool   // to this machine itself
	out  string // the interface
}

// router answers where packets go.
type router interface {
	// lookup returns where packets to a go.
	lookup(a netip.Addr) (routeTo, error)
	// within returns parts of n that have routes of their own: at most maxParts. known
	// is false if there are too many routes to look at.
	within(n netip.Prefix) (parts []netip.Prefix, known bool, err error)
}

// maxParts bounds the parts of one destination that are looked at.
const maxParts = 64

// namedHost is an address of a domain controller that the configuration names.
type namedHost struct {
	backend string
	address netip.Addr
}

// namedHosts returns the addresses of backends.
func namedHosts(backends []policy.Backend) (hosts []namedHost) {
	for _, b := range backends {
		for _, a := range append([]netip.Addr{b.Address}, b.Also...) {
			if a.IsValid() {
				hosts = append(hosts, namedHost{b.Name, a})
			}
		}
	}
	return hosts
}

// checkDestinations adds what is wrong with the destinations of l, and with the
// addresses of backends in them.
func (ps *problems) checkDestinations(l policy.Listener, hosts []namedHost, links []link, r router) error {
	back := func(to routeTo) bool { return arrivesOnlyOn(l, links, to.out) }
	for _, d := range l.Destinations {
		where, err := routeToNetwork(d, r, back)
		if err != nil {
			return err
		}
		value := d.String()
		if d.IsSingleIP() {
			value = d.Addr().String()
		}
		ps.addRoute(l, value, where, back)
	}
	for _, h := range hosts {
		if !l.LeadsTo(h.address) {
			continue
		}
		where, err := r.lookup(h.address)
		if err != nil {
			return err
		}
		ps.addRoute(l, fmt.Sprintf("%v (backend %s)", h.address, h.backend), where, back)
	}
	return nil
}

// addRoute adds what is wrong with a route to a destination.
func (ps *problems) addRoute(l policy.Listener, value string, where routeTo, back func(routeTo) bool) {
	switch {
	case where.none:
		ps.add(l.Name, NoRoute, value)
	case where.own:
		ps.add(l.Name, OwnAddress, value)
	case back(where):
		ps.add(l.Name, RoutedBack, fmt.Sprintf("%s through %s", value, where.out))
	}
}

// arrivesOnlyOn reports whether all clients of l arrive on that interface, and domain
// controllers cannot be behind it too: those of a transparent bridge are.
func arrivesOnlyOn(l policy.Listener, links []link, name string) bool {
	if !lists(l, name) {
		return false
	}
	return !slices.ContainsFunc(links, func(k link) bool {
		return k.name == name && k.kind == "bridge" || k.name != name && lists(l, k.name)
	})
}

// rank orders routes by how well they serve clients.
func (to routeTo) rank(back func(routeTo) bool) int {
	switch {
	case to.none:
		return 0
	case to.own:
		return 1
	case back(to):
		return 2
	}
	return bestRank
}

const bestRank = 3

// routeToNetwork returns the best of the routes into a network: parts of it may be
// somewhere else, or nowhere.
func routeToNetwork(n netip.Prefix, r router, back func(routeTo) bool) (best routeTo, err error) {
	best.none = true
	try := func(part netip.Prefix) (done bool, err error) {
		for _, a := range samples(part) {
			where, err := r.lookup(a)
			if err != nil {
				return true, err
			}
			if where.rank(back) > best.rank(back) {
				best = where
			}
		}
		return best.rank(back) == bestRank, nil
	}
	if done, err := try(n); done || n.IsSingleIP() {
		return best, err
	}
	parts, known, err := r.within(n)
	if err != nil {
		return best, err
	}
	if !known {
		return routeTo{}, nil // it may be all right
	}
	for _, part := range parts {
		if done, err := try(part); done {
			return best, err
		}
	}
	return best, nil
}

// samples returns addresses of hosts at the beginning, in the middle and at the end
// of a network.
func samples(n netip.Prefix) []netip.Addr {
	first := n.Masked().Addr()
	if n.Addr().BitLen()-n.Bits() < 2 {
		if n.IsSingleIP() {
			return []netip.Addr{first}
		}
		return []netip.Addr{first, first.Next()}
	}
	bytes := first.AsSlice()
	bytes[n.Bits()/8] |= 0x80 >> (n.Bits() % 8)
	middle, _ := netip.AddrFromSlice(bytes)
	for i := n.Bits(); i < first.BitLen(); i++ {
		bytes[i/8] |= 0x80 >> (i % 8)
	}
	last, _ := netip.AddrFromSlice(bytes)
	return []netip.Addr{first.Next(), first.Next().Next(), middle.Next(), last.Prev()}
}
