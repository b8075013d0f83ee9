#!/bin/sh
# Leads connections of clients to nspiproxy. Run it as root, as often as you like.
# Undo it: nspiproxy rules --remove, or
#   nft delete table inet nspiproxy
# This machine must forward packets:
#   sysctl -w net.ipv6.conf.all.forwarding=1
# A firewall on it, in its input hook, must accept what comes here:
#   tcp dport 5136 accept
set -e
nft -f - <<'RULES'
# Leads connections of clients to nspiproxy. Made from its configuration: change that.
table inet nspiproxy
delete table inet nspiproxy
table inet nspiproxy {
	comment "when_down open, rules 3baefdf3c9bb2a42"

	set learnt4 {
		# Ports that domain controllers' endpoint mappers named. The running proxy keeps them current.
		type ipv4_addr . inet_service
	}

	set learnt6 {
		type ipv6_addr . inet_service
	}

	chain redirected {
		type nat hook prerouting priority dstnat; policy accept;
		# Listener host.
		iifname != "lo" ip6 daddr fd00:5::/64 tcp dport 135 tcp flags & rst == 0 redirect to :5136
		iifname != "lo" ip6 daddr fd00:5::/64 ip6 daddr . tcp dport @learnt6 tcp flags & rst == 0 redirect to :5136
	}

	chain forwarded {
		# Connections that were made while there were no rules, or that nobody is there to take.
		type filter hook forward priority filter; policy accept;
		# Listener host.
		iifname != "lo" ip6 daddr fd00:5::/64 tcp dport 135 tcp flags & rst == 0 reject with tcp reset
		iifname != "lo" ip6 daddr fd00:5::/64 ip6 daddr . tcp dport @learnt6 tcp flags & rst == 0 reject with tcp reset
	}
}
RULES
