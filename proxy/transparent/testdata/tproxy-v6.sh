#!/bin/sh
# Leads connections of clients to nspiproxy. Run it as root, as often as you like.
# Undo it: nspiproxy rules --remove, or
#   nft delete table inet nspiproxy
#   ip -6 rule flush protocol 78
#   ip -6 route flush table all proto 78
# This machine must forward packets:
#   sysctl -w net.ipv6.conf.all.forwarding=1
# A firewall on it, in its input hook, must accept what comes here:
#   meta mark 20051 accept
set -e
ip -6 rule flush protocol 78
ip -6 route flush table all proto 78
ip -6 rule add pref 77 iif lo fwmark 20051 goto 79 protocol 78
ip -6 rule add pref 78 fwmark 20051 lookup 20051 protocol 78
ip -6 rule add pref 79 fwmark 20051 nop protocol 78
ip -6 route add local default dev lo table 20051 proto 78
nft -f - <<'RULES'
# Leads connections of clients to nspiproxy. Made from its configuration: change that.
table inet nspiproxy
delete table inet nspiproxy
table inet nspiproxy {
	comment "when_down open, rules 940d8e3e4eddfa92"

	set learnt4 {
		# Ports that domain controllers' endpoint mappers named. The running proxy keeps them current.
		type ipv4_addr . inet_service
	}

	set learnt6 {
		type ipv6_addr . inet_service
	}

	chain from_clients {
		# Before connection tracking: the client's connection and the proxy's own, which goes on under the
		# client's address and port, have the same addresses and ports and would be taken for one.
		type filter hook prerouting priority raw; policy accept;
		ip6 daddr fd00:5::/64 meta l4proto tcp jump client_sockets
		jump intercepted
	}

	chain intercepted {
		# Listener path. A reset without a socket here is for a connection that passes by.
		iifname != "lo" ip6 daddr fd00:5::/64 tcp dport 135 tcp flags & rst == 0 tproxy ip6 to [::1]:5135 meta mark set 20051 notrack accept
		iifname != "lo" ip6 daddr fd00:5::/64 ip6 daddr . tcp dport @learnt6 tcp flags & rst == 0 tproxy ip6 to [::1]:5135 meta mark set 20051 notrack accept
	}

	chain client_sockets {
		socket wildcard 1 return
		socket transparent 1 meta mark set 20051 notrack accept
	}

	chain from_servers {
		# What domain controllers answer to a client's address, for the proxy's sockets that have it; and ICMP errors
		# about either side's connections: without them the greatest packet size of a path is not found.
		type filter hook prerouting priority mangle; policy accept;
		ip6 saddr fd00:5::/64 meta l4proto tcp jump server_sockets
		meta l4proto { icmp, icmpv6 } jump server_sockets
	}

	chain server_sockets {
		socket wildcard 1 return
		socket transparent 1 meta mark set 20051 accept
	}

	chain to_clients {
		# What the proxy sends to clients under a domain controller's address.
		type filter hook output priority raw; policy accept;
		ip6 saddr fd00:5::/64 meta l4proto tcp fib saddr type != local notrack
	}
}
RULES
