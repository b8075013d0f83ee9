package transparent

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/nspiproxy/nspiproxy/policy"
)

// intercepted returns what matches packets of clients to the intercepted ports
// of l: the static ones and the learnt ones. Resets are not among them. Without
// destinations of that family there is nothing to match.
func (f family) intercepted(l policy.Listener) []string {
	networks := f.destinations(l)
	if len(networks) == 0 {
		return nil
	}
	from := fmt.Sprintf("%s %s daddr %s", arriving(l), f.network, list(networks))
	return []string{
		fmt.Sprintf("%s tcp dport %s tcp flags & rst == 0", from, list(staticPorts(l))),
		fmt.Sprintf("%s %s daddr . tcp dport @%s tcp flags & rst == 0", from, f.network, f.set),
	}
}

// arriving matches the interfaces where clients of l arrive.
func arriving(l policy.Listener) string {
	if len(l.Interfaces) == 0 {
		return `iifname != "lo"`
	}
	names := make([]string, len(l.Interfaces))
	for i, n := range l.Interfaces {
		names[i] = `"` + string(n) + `"`
	}
	slices.Sort(names)
	return "iifname " + list(names)
}

// list writes one value as it is and several as an anonymous set.
func list[T any](values []T) string {
	if len(values) == 1 {
		return fmt.Sprint(values[0])
	}
	text := make([]string, len(values))
	for i, v := range values {
		text[i] = fmt.Sprint(v)
	}
	return "{ " + strings.Join(text, ", ") + " }"
}

// elements returns the ports of that family, in order and each once.
func (f family) elements(ports []netip.AddrPort) []netip.AddrPort {
	var own []netip.AddrPort
	for _, p := range ports {
		if f.is(p.Addr()) {
			own = append(own, p)
		}
	}
	slices.SortFunc(own, netip.AddrPort.Compare)
	return slices.Compact(own)
}
