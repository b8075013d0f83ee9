#!/bin/sh
# Made by nspiproxy rules from the configuration "redirect.yaml": change that.
# Leads connections of clients to nspiproxy. Run it as root, as often as you like.
# Undo it: nspiproxy rules --remove, or
#   nft delete table inet nspiproxy
# This machine must forward packets:
#   sysctl -w net.ipv4.ip_forward=1
# A firewall on it must accept, before it drops anything: in its input hook, what comes here,
#   tcp dport 5136 accept
# and in its output hook, what the proxy sends:
#   meta l4proto tcp ip daddr 10.0.5.0/24 accept
set -e
nft -f - <<'RULES'
# Leads connections of clients to nspiproxy. Made from its configuration: change that.
table inet nspiproxy
delete table inet nspiproxy
table inet nspiproxy {
	comment "when_down open, rules 6b30d6b7180ef145"

	set learnt4 {
		# Ports that domain controllers' endpoint mappers named. The running proxy keeps them current.
		type ipv4_addr . inet_service
	}

	set direct4 {
		# Connections that were made while the proxy did not run.
		type ipv4_addr . inet_service . ipv4_addr . inet_service
		flags dynamic, timeout
		timeout 1d
		size 65536
	}

	set reset4 {
		# Those of them that one side has reset. They live on if the reset was forged.
		type ipv4_addr . inet_service . ipv4_addr . inet_service
		flags dynamic, timeout
		timeout 1d
		size 65536
	}

	set ending4 {
		# Those of them that the domain controller has ended.
		type ipv4_addr . inet_service . ipv4_addr . inet_service
		flags dynamic, timeout
		timeout 1d
		size 65536
	}

	set stray4 {
		# Connections that began where these rules were not: what their clients have sent,
		type ipv4_addr . inet_service . ipv4_addr . inet_service
		flags dynamic, timeout
		timeout 1d
		size 65536
	}

	set asked4 {
		# have acknowledged,
		type ipv4_addr . inet_service . ipv4_addr . inet_service
		flags dynamic, timeout
		timeout 1d
		size 65536
	}

	set answered4 {
		# or are to acknowledge.
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
		size 65536
	}

	set reset6 {
		type ipv6_addr . inet_service . ipv6_addr . inet_service
		flags dynamic, timeout
		timeout 1d
		size 65536
	}

	set ending6 {
		type ipv6_addr . inet_service . ipv6_addr . inet_service
		flags dynamic, timeout
		timeout 1d
		size 65536
	}

	set stray6 {
		type ipv6_addr . inet_service . ipv6_addr . inet_service
		flags dynamic, timeout
		timeout 1d
		size 65536
	}

	set asked6 {
		type ipv6_addr . inet_service . ipv6_addr . inet_service
		flags dynamic, timeout
		timeout 1d
		size 65536
	}

	set answered6 {
		type ipv6_addr . inet_service . ipv6_addr . inet_service
		flags dynamic, timeout
		timeout 1d
		size 65536
	}

	chain redirected {
		type nat hook prerouting priority dstnat; policy accept;
		# Listener host.
		iifname != "lo" ip daddr 10.0.5.0/24 tcp dport 135 tcp flags & (syn | ack | rst) == syn redirect to :5136
		iifname != "lo" ip daddr 10.0.5.0/24 ip daddr . tcp dport @learnt4 tcp flags & (syn | ack | rst) == syn redirect to :5136
	}

	chain forwarded {
		# Packets that are not the proxy's. Before firewalls, which take answers to strays for invalid.
		type filter hook forward priority filter - 10; policy accept;
		# Keeps connection tracking on when no rule redirects any more: it would miss the end of what was redirected,
		# and lead a connection here that was made directly from the same port.
		ct state established
		ip daddr 10.0.5.0/24 meta l4proto tcp jump passing4
		ip saddr 10.0.5.0/24 meta l4proto tcp jump answers4
		# Listener host.
		iifname != "lo" ip daddr 10.0.5.0/24 tcp dport 135 tcp flags & (syn | ack | rst) == syn jump missed
		iifname != "lo" ip daddr 10.0.5.0/24 tcp dport 135 tcp flags & (syn | ack | rst) == syn delete @ending4 { ip saddr . tcp sport . ip daddr . tcp dport } delete @reset4 { ip saddr . tcp sport . ip daddr . tcp dport } add @direct4 { ip saddr . tcp sport . ip daddr . tcp dport timeout 30s }
		iifname != "lo" ip daddr 10.0.5.0/24 tcp dport 135 tcp flags & (syn | ack | rst) == syn accept
		iifname != "lo" ip daddr 10.0.5.0/24 tcp dport 135 jump strays4
		iifname != "lo" ip daddr 10.0.5.0/24 ip daddr . tcp dport @learnt4 tcp flags & (syn | ack | rst) == syn jump missed
		iifname != "lo" ip daddr 10.0.5.0/24 ip daddr . tcp dport @learnt4 tcp flags & (syn | ack | rst) == syn delete @ending4 { ip saddr . tcp sport . ip daddr . tcp dport } delete @reset4 { ip saddr . tcp sport . ip daddr . tcp dport } add @direct4 { ip saddr . tcp sport . ip daddr . tcp dport timeout 30s }
		iifname != "lo" ip daddr 10.0.5.0/24 ip daddr . tcp dport @learnt4 tcp flags & (syn | ack | rst) == syn accept
		iifname != "lo" ip daddr 10.0.5.0/24 ip daddr . tcp dport @learnt4 jump strays4
		ip saddr 10.0.5.0/24 tcp sport 135 jump stray_answers4
		ip saddr . tcp sport @learnt4 jump stray_answers4
	}

	chain missed {
		ct state invalid reject with tcp reset
		ct state { new, established } ct status & dnat == 0 reject with tcp reset
	}

	chain passing4 {
		tcp flags & (syn | ack | rst) == syn ip saddr . tcp sport . ip daddr . tcp dport @direct4 accept
		tcp flags & (syn | ack | rst) == syn return
		ip saddr . tcp sport . ip daddr . tcp dport @ending4 update @ending4 { ip saddr . tcp sport . ip daddr . tcp dport timeout 2m } accept
		tcp flags & rst == rst ip saddr . tcp sport . ip daddr . tcp dport @direct4 update @reset4 { ip saddr . tcp sport . ip daddr . tcp dport timeout 3h } delete @direct4 { ip saddr . tcp sport . ip daddr . tcp dport } accept
		tcp flags & rst == rst accept
		tcp flags & fin == fin ip saddr . tcp sport . ip daddr . tcp dport @direct4 update @direct4 { ip saddr . tcp sport . ip daddr . tcp dport timeout 10m } accept
		ip saddr . tcp sport . ip daddr . tcp dport @direct4 update @direct4 { ip saddr . tcp sport . ip daddr . tcp dport timeout 1d } accept
		ip saddr . tcp sport . ip daddr . tcp dport @reset4 accept
	}

	chain answers4 {
		ip daddr . tcp dport . ip saddr . tcp sport @ending4 update @ending4 { ip daddr . tcp dport . ip saddr . tcp sport timeout 2m } accept
		tcp flags & rst == rst ip daddr . tcp dport . ip saddr . tcp sport @direct4 update @reset4 { ip daddr . tcp dport . ip saddr . tcp sport timeout 3h } delete @direct4 { ip daddr . tcp dport . ip saddr . tcp sport } accept
		tcp flags & rst == rst accept
		tcp flags & fin == fin ip daddr . tcp dport . ip saddr . tcp sport @direct4 update @ending4 { ip daddr . tcp dport . ip saddr . tcp sport timeout 2m } delete @direct4 { ip daddr . tcp dport . ip saddr . tcp sport } accept
		tcp flags & fin == fin ip daddr . tcp dport . ip saddr . tcp sport @reset4 update @ending4 { ip daddr . tcp dport . ip saddr . tcp sport timeout 2m } delete @reset4 { ip daddr . tcp dport . ip saddr . tcp sport } accept
		ip daddr . tcp dport . ip saddr . tcp sport @direct4 accept
		ip daddr . tcp dport . ip saddr . tcp sport @reset4 update @direct4 { ip daddr . tcp dport . ip saddr . tcp sport timeout 30s } delete @reset4 { ip daddr . tcp dport . ip saddr . tcp sport } accept
	}

	chain strays4 {
		tcp flags & (fin | psh) != 0 add @stray4 { ip saddr . tcp sport . ip daddr . tcp dport timeout 1m } accept
		meta length > 120 add @stray4 { ip saddr . tcp sport . ip daddr . tcp dport timeout 1m } accept
		ip saddr . tcp sport . ip daddr . tcp dport @answered4 reject with tcp reset
		add @asked4 { ip saddr . tcp sport . ip daddr . tcp dport timeout 1m }
	}

	chain stray_answers4 {
		ip daddr . tcp dport . ip saddr . tcp sport @stray4 reject with tcp reset
		tcp flags & (fin | psh) != 0 add @answered4 { ip daddr . tcp dport . ip saddr . tcp sport timeout 10s } accept
		meta length > 120 add @answered4 { ip daddr . tcp dport . ip saddr . tcp sport timeout 10s } accept
		ip daddr . tcp dport . ip saddr . tcp sport @asked4 reject with tcp reset
	}
}
RULES
