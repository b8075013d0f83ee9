package transparent

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/nspiproxy/nspiproxy/policy"
)

// isSYN matches the first packet of a connection, whatever other flags it has: some
// hosts take one with FIN.
const isSYN = "tcp flags & (syn | ack | rst) == syn"

// intercepted returns what matches packets of clients to the intercepted ports
// of l: the static ones and the learnt ones. Without destinations of that family
// there is nothing to match.
func (f family) intercepted(l policy.Listener) []string {
	networks := f.destinations(l)
	if len(networks) == 0 {
		return nil
	}
	from := fmt.Sprintf("%s %s daddr %s", arriving(l), f.network, list(networks))
	return []string{
		fmt.Sprintf("%s tcp dport %s", from, list(staticPorts(l))),
		fmt.Sprintf("%s %s daddr . tcp dport @%s", from, f.network, f.set),
	}
}

// answering returns what matches packets from the intercepted ports of l.
func (f family) answering(l policy.Listener) []string {
	networks := f.destinations(l)
	if len(networks) == 0 {
		return nil
	}
	return []string{
		fmt.Sprintf("%s saddr %s tcp sport %s", f.network, list(networks), list(staticPorts(l))),
		fmt.Sprintf("%s saddr . tcp sport @%s", f.network, f.set),
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
