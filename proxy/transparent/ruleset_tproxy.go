package transparent

import (
	"github.com/nspiproxy/nspiproxy/policy"
)

// tproxy writes the chains of the TPROXY listeners.
//
// All packets of sockets that the proxy has are found by their socket, not by
// port: connections live on when a learnt port is forgotten, and the answers of
// domain controllers go to a client's address and any port. The match on
// "wildcard" spares the listening sockets of other transparent programs, which
// are bound to no address; it comes first and alone because a socket in TIME_WAIT
// has no answer to it, and one rule with both would miss those.
//
// A first packet of a connection that passes by is late or forged: a socket here for it
// would take away that connection's packets.
func (r *ruleset) tproxy(listeners []policy.Listener) {
	if len(listeners) == 0 {
		return
	}
	mark := r.plan.setMark()
	r.open("chain from_clients")
	r.line("# Before connection tracking: the client's connection and the proxy's own, which goes on under the")
	r.line("# client's address and port, have the same addresses and ports and would be taken for one.")
	r.line("type filter hook prerouting priority raw; policy accept;")
	for _, f := range families {
		if d := f.destinations(listeners...); len(d) > 0 {
			r.line("%s daddr %s meta l4proto tcp jump client_sockets", f.network, list(d))
			r.line("%s daddr %s %s @%s accept", f.network, list(d), f.tuple(), f.direct())
		}
	}
	r.line("jump %s", chainIntercepted)
	r.close()

	r.open("chain %s", chainIntercepted)
	for _, l := range listeners {
		r.line("# Listener %s. Packets without a socket here pass by, but for the first of a connection.", l.Name)
		for _, f := range families {
			for _, match := range f.intercepted(l) {
				r.line("%s %s tproxy %s to %s:%d %s notrack accept", match, isSYN, f.network, f.loopback, l.Port, mark)
			}
		}
	}
	r.close()

	r.open("chain client_sockets")
	r.line("socket wildcard 1 return")
	r.line("socket transparent 1 %s notrack accept", mark)
	r.close()

	r.open("chain from_servers")
	r.line("# What domain controllers answer to a client's address, for the proxy's sockets that have it; and ICMP errors")
	r.line("# about either side's connections: without them the greatest packet size of a path is not found.")
	r.line("type filter hook prerouting priority mangle; policy accept;")
	for _, f := range families {
		if d := f.destinations(listeners...); len(d) > 0 {
			r.line("%s saddr %s meta l4proto tcp jump server_sockets", f.network, list(d))
		}
	}
	r.line("meta l4proto { icmp, icmpv6 } jump server_sockets")
	r.close()

	r.open("chain server_sockets")
	r.line("socket wildcard 1 return")
	r.line("socket transparent 1 %s accept", mark)
	r.close()

	r.open("chain to_clients")
	r.line("# What the proxy sends to clients under a domain controller's address.")
	r.line("type filter hook output priority raw; policy accept;")
	for _, f := range families {
		if d := f.destinations(listeners...); len(d) > 0 {
			r.line("%s saddr %s meta l4proto tcp fib saddr type != local notrack", f.network, list(d))
		}
	}
	r.close()
}
