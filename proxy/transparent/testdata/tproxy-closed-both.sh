#!/bin/sh
# Made by nspiproxy rules from the configuration "tproxy-closed-both.yaml": change that.
# Leads connections of clients to nspiproxy. Run it as root, as often as you like.
# Undo it: nspiproxy rules --remove, or
#   nft delete table inet nspiproxy
#   ip -4 rule flush protocol 78
#   ip -4 route flush table all proto 78
#   ip -6 rule flush protocol 78
#   ip -6 route flush table all proto 78
# This machine must forward packets:
#   sysctl -w net.ipv4.ip_forward=1
#   sysctl -w net.ipv6.conf.all.forwarding=1
# A firewall on it must accept, before it drops anything: in its input hook, what comes here,
#   meta mark & 7 == 7 accept
# and in its output hook, what the proxy sends:
#   ct state untracked accept
#   meta l4proto tcp ip daddr 10.0.5.0/24 accept
#   meta l4proto tcp ip6 daddr fd00:5::/64 accept
set -e
ip -4 rule flush protocol 78
ip -4 route flush table all proto 78
ip -4 rule add pref 77 iif lo fwmark 7/7 goto 79 protocol 78
ip -4 rule add pref 78 fwmark 7/7 lookup 99 protocol 78
ip -4 rule add pref 79 fwmark 7/7 nop protocol 78
ip -4 route add local default dev lo table 99 proto 78
ip -6 rule flush protocol 78
ip -6 route flush table all proto 78
ip -6 rule add pref 77 iif lo fwmark 7/7 goto 79 protocol 78
ip -6 rule add pref 78 fwmark 7/7 lookup 99 protocol 78
ip -6 rule add pref 79 fwmark 7/7 nop protocol 78
ip -6 route add local default dev lo table 99 proto 78
nft -f - <<'RULES'
# Leads connections of clients to nspiproxy. Made from its configuration: change that.
table inet nspiproxy
delete table inet nspiproxy
table inet nspiproxy {
	comment "when_down closed, rules ca5421f507496b74"

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
		elements = {
			fd00:5::11 . 49677,
		}
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

	chain from_clients {
		# Before connection tracking: the client's connection and the proxy's own, which goes on under the
		# client's address and port, have the same addresses and ports and would be taken for one.
		type filter hook prerouting priority raw; policy accept;
		ip daddr 10.0.5.0/24 meta l4proto tcp jump client_sockets
		ip daddr 10.0.5.0/24 ip saddr . tcp sport . ip daddr . tcp dport @direct4 accept
		ip6 daddr fd00:5::/64 meta l4proto tcp jump client_sockets
		ip6 daddr fd00:5::/64 ip6 saddr . tcp sport . ip6 daddr . tcp dport @direct6 accept
		jump intercepted
	}

	chain intercepted {
		# Listener path. Packets without a socket here pass by, but for the first of a connection.
		iifname "eth1" ip daddr 10.0.5.0/24 tcp dport 135 tcp flags & (syn | ack | rst) == syn tproxy ip to 127.0.0.1:5135 meta mark set meta mark | 7 notrack accept
		iifname "eth1" ip daddr 10.0.5.0/24 ip daddr . tcp dport @learnt4 tcp flags & (syn | ack | rst) == syn tproxy ip to 127.0.0.1:5135 meta mark set meta mark | 7 notrack accept
		iifname "eth1" ip6 daddr fd00:5::/64 tcp dport 135 tcp flags & (syn | ack | rst) == syn tproxy ip6 to [::1]:5135 meta mark set meta mark | 7 notrack accept
		iifname "eth1" ip6 daddr fd00:5::/64 ip6 daddr . tcp dport @learnt6 tcp flags & (syn | ack | rst) == syn tproxy ip6 to [::1]:5135 meta mark set meta mark | 7 notrack accept
	}

	chain client_sockets {
		socket wildcard 1 return
		socket transparent 1 meta mark set meta mark | 7 notrack accept
	}

	chain from_servers {
		# What domain controllers answer to a client's address, for the proxy's sockets that have it; and ICMP errors
		# about either side's connections: without them the greatest packet size of a path is not found.
		type filter hook prerouting priority mangle; policy accept;
		ip saddr 10.0.5.0/24 meta l4proto tcp jump server_sockets
		ip6 saddr fd00:5::/64 meta l4proto tcp jump server_sockets
		meta l4proto { icmp, icmpv6 } jump server_sockets
	}

	chain server_sockets {
		socket wildcard 1 return
		socket transparent 1 meta mark set meta mark | 7 accept
	}

	chain to_clients {
		# What the proxy sends to clients under a domain controller's address.
		type filter hook output priority raw; policy accept;
		ip saddr 10.0.5.0/24 meta l4proto tcp fib saddr type != local notrack
		ip6 saddr fd00:5::/64 meta l4proto tcp fib saddr type != local notrack
	}

	chain forwarded {
		# Packets that are not the proxy's. Before firewalls, which take answers to strays for invalid.
		type filter hook forward priority filter - 10; policy accept;
		ip daddr 10.0.5.0/24 meta l4proto tcp jump passing4
		ip saddr 10.0.5.0/24 meta l4proto tcp jump answers4
		ip6 daddr fd00:5::/64 meta l4proto tcp jump passing6
		ip6 saddr fd00:5::/64 meta l4proto tcp jump answers6
		# Listener path.
		iifname "eth1" ip daddr 10.0.5.0/24 tcp dport 135 tcp flags & (syn | ack | rst) == syn reject with tcp reset
		iifname "eth1" ip daddr 10.0.5.0/24 tcp dport 135 jump strays4
		iifname "eth1" ip daddr 10.0.5.0/24 ip daddr . tcp dport @learnt4 tcp flags & (syn | ack | rst) == syn reject with tcp reset
		iifname "eth1" ip daddr 10.0.5.0/24 ip daddr . tcp dport @learnt4 jump strays4
		ip saddr 10.0.5.0/24 tcp sport 135 jump stray_answers4
		ip saddr . tcp sport @learnt4 jump stray_answers4
		iifname "eth1" ip6 daddr fd00:5::/64 tcp dport 135 tcp flags & (syn | ack | rst) == syn reject with tcp reset
		iifname "eth1" ip6 daddr fd00:5::/64 tcp dport 135 jump strays6
		iifname "eth1" ip6 daddr fd00:5::/64 ip6 daddr . tcp dport @learnt6 tcp flags & (syn | ack | rst) == syn reject with tcp reset
		iifname "eth1" ip6 daddr fd00:5::/64 ip6 daddr . tcp dport @learnt6 jump strays6
		ip6 saddr fd00:5::/64 tcp sport 135 jump stray_answers6
		ip6 saddr . tcp sport @learnt6 jump stray_answers6
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

	chain passing6 {
		tcp flags & (syn | ack | rst) == syn ip6 saddr . tcp sport . ip6 daddr . tcp dport @direct6 accept
		tcp flags & (syn | ack | rst) == syn return
		ip6 saddr . tcp sport . ip6 daddr . tcp dport @ending6 update @ending6 { ip6 saddr . tcp sport . ip6 daddr . tcp dport timeout 2m } accept
		tcp flags & rst == rst ip6 saddr . tcp sport . ip6 daddr . tcp dport @direct6 update @reset6 { ip6 saddr . tcp sport . ip6 daddr . tcp dport timeout 3h } delete @direct6 { ip6 saddr . tcp sport . ip6 daddr . tcp dport } accept
		tcp flags & rst == rst accept
		tcp flags & fin == fin ip6 saddr . tcp sport . ip6 daddr . tcp dport @direct6 update @direct6 { ip6 saddr . tcp sport . ip6 daddr . tcp dport timeout 10m } accept
		ip6 saddr . tcp sport . ip6 daddr . tcp dport @direct6 update @direct6 { ip6 saddr . tcp sport . ip6 daddr . tcp dport timeout 1d } accept
		ip6 saddr . tcp sport . ip6 daddr . tcp dport @reset6 accept
	}

	chain answers6 {
		ip6 daddr . tcp dport . ip6 saddr . tcp sport @ending6 update @ending6 { ip6 daddr . tcp dport . ip6 saddr . tcp sport timeout 2m } accept
		tcp flags & rst == rst ip6 daddr . tcp dport . ip6 saddr . tcp sport @direct6 update @reset6 { ip6 daddr . tcp dport . ip6 saddr . tcp sport timeout 3h } delete @direct6 { ip6 daddr . tcp dport . ip6 saddr . tcp sport } accept
		tcp flags & rst == rst accept
		tcp flags & fin == fin ip6 daddr . tcp dport . ip6 saddr . tcp sport @direct6 update @ending6 { ip6 daddr . tcp dport . ip6 saddr . tcp sport timeout 2m } delete @direct6 { ip6 daddr . tcp dport . ip6 saddr . tcp sport } accept
		tcp flags & fin == fin ip6 daddr . tcp dport . ip6 saddr . tcp sport @reset6 update @ending6 { ip6 daddr . tcp dport . ip6 saddr . tcp sport timeout 2m } delete @reset6 { ip6 daddr . tcp dport . ip6 saddr . tcp sport } accept
		ip6 daddr . tcp dport . ip6 saddr . tcp sport @direct6 accept
		ip6 daddr . tcp dport . ip6 saddr . tcp sport @reset6 update @direct6 { ip6 daddr . tcp dport . ip6 saddr . tcp sport timeout 30s } delete @reset6 { ip6 daddr . tcp dport . ip6 saddr . tcp sport } accept
	}

	chain strays6 {
		tcp flags & (fin | psh) != 0 add @stray6 { ip6 saddr . tcp sport . ip6 daddr . tcp dport timeout 1m } accept
		meta length > 120 add @stray6 { ip6 saddr . tcp sport . ip6 daddr . tcp dport timeout 1m } accept
		ip6 saddr . tcp sport . ip6 daddr . tcp dport @answered6 reject with tcp reset
		add @asked6 { ip6 saddr . tcp sport . ip6 daddr . tcp dport timeout 1m }
	}

	chain stray_answers6 {
		ip6 daddr . tcp dport . ip6 saddr . tcp sport @stray6 reject with tcp reset
		tcp flags & (fin | psh) != 0 add @answered6 { ip6 daddr . tcp dport . ip6 saddr . tcp sport timeout 10s } accept
		meta length > 120 add @answered6 { ip6 daddr . tcp dport . ip6 saddr . tcp sport timeout 10s } accept
		ip6 daddr . tcp dport . ip6 saddr . tcp sport @asked6 reject with tcp reset
	}
}
RULES
