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
	comment "when_down open, rules c846e35d5b332374"

	set learnt4 {
		# Ports that domain controllers' endpoint mappers named. The running proxy keeps them current.
		type ipv4_addr . inet_service
	}

	set direct4 {
		# Connections that were made while the proxy did not run.
		type ipv4_addr . inet_service . ipv4_addr . inet_service
		flags dynamic, timeout
		timeout 1d
		size 262144
	}

	set ending4 {
		# Those of them that have begun to end.
		type ipv4_addr . inet_service . ipv4_addr . inet_service
		flags dynamic, timeout
		timeout 1d
		size 262144
	}

	set stray4 {
		# Connections that began where these rules were not: they are reset.
		type ipv4_addr . inet_service . ipv4_addr . inet_service
		flags dynamic, timeout
		timeout 1d
		size 65536
	}

	set learnt6 {
		type ipv6_addr . inet_service
	}

	set direct6 {
		type ipv6_addr . inet_service . ipv6_addr . inet_service
		flags dynamic, timeout
		timeout 1d
		size 262144
	}

	set ending6 {
		type ipv6_addr . inet_service . ipv6_addr . inet_service
		flags dynamic, timeout
		timeout 1d
		size 262144
	}

	set stray6 {
		type ipv6_addr . inet_service . ipv6_addr . inet_service
		flags dynamic, timeout
		timeout 1d
		size 65536
	}

	chain redirected {
		type nat hook prerouting priority dstnat; policy accept;
		# Listener host.
		iifname != "lo" ip6 daddr fd00:5::/64 tcp dport 135 tcp flags & (syn | ack | rst) == syn redirect to :5136
		iifname != "lo" ip6 daddr fd00:5::/64 ip6 daddr . tcp dport @learnt6 tcp flags & (syn | ack | rst) == syn redirect to :5136
	}

	chain forwarded {
		# Packets that are not the proxy's. Before firewalls, which take answers to strays for invalid.
		type filter hook forward priority filter - 10; policy accept;
		# Listener host.
		iifname != "lo" ip6 daddr fd00:5::/64 tcp dport 135 jump passing6
		iifname != "lo" ip6 daddr fd00:5::/64 ip6 daddr . tcp dport @learnt6 jump passing6
		ip6 saddr fd00:5::/64 tcp sport 135 jump answers6
		ip6 saddr . tcp sport @learnt6 jump answers6
	}

	chain passing6 {
		tcp flags & (syn | ack | rst) == syn delete @ending6 { ip6 saddr . tcp sport . ip6 daddr . tcp dport } update @direct6 { ip6 saddr . tcp sport . ip6 daddr . tcp dport timeout 30s }
		tcp flags & (syn | ack | rst) == syn return
		ip6 saddr . tcp sport . ip6 daddr . tcp dport @ending6 update @ending6 { ip6 saddr . tcp sport . ip6 daddr . tcp dport timeout 2m } return
		tcp flags & (fin | rst) != 0 ip6 saddr . tcp sport . ip6 daddr . tcp dport @direct6 update @ending6 { ip6 saddr . tcp sport . ip6 daddr . tcp dport timeout 2m } delete @direct6 { ip6 saddr . tcp sport . ip6 daddr . tcp dport } return
		tcp flags & rst == rst return
		ip6 saddr . tcp sport . ip6 daddr . tcp dport @direct6 update @direct6 { ip6 saddr . tcp sport . ip6 daddr . tcp dport timeout 1d } return
		# It goes on to the domain controller, which is reset when it answers, and then resets the client.
		add @stray6 { ip6 saddr . tcp sport . ip6 daddr . tcp dport timeout 1m }
	}

	chain answers6 {
		ip6 daddr . tcp dport . ip6 saddr . tcp sport @ending6 update @ending6 { ip6 daddr . tcp dport . ip6 saddr . tcp sport timeout 2m } return
		tcp flags & (fin | rst) != 0 ip6 daddr . tcp dport . ip6 saddr . tcp sport @direct6 update @ending6 { ip6 daddr . tcp dport . ip6 saddr . tcp sport timeout 2m } delete @direct6 { ip6 daddr . tcp dport . ip6 saddr . tcp sport } return
		tcp flags & rst == rst return
		ip6 daddr . tcp dport . ip6 saddr . tcp sport @direct6 return
		ip6 daddr . tcp dport . ip6 saddr . tcp sport @stray6 reject with tcp reset
	}
}
RULES
