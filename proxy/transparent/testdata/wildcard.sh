#!/bin/sh
# Leads connections of clients to nspiproxy. Run it as root, as often as you like.
# Undo it: nspiproxy rules --remove, or
#   nft delete table inet nspiproxy
#   ip -4 rule flush protocol 78
#   ip -4 route flush table all proto 78
# This machine must forward packets:
#   sysctl -w net.ipv4.ip_forward=1
# A firewall on it, in its input hook, must accept what comes here:
#   meta mark & 20051 == 20051 accept
#   tcp dport 5136 accept
set -e
ip -4 rule flush protocol 78
ip -4 route flush table all proto 78
ip -4 rule add pref 77 iif lo fwmark 20051/20051 goto 79 protocol 78
ip -4 rule add pref 78 fwmark 20051/20051 lookup 20051 protocol 78
ip -4 rule add pref 79 fwmark 20051/20051 nop protocol 78
ip -4 route add local default dev lo table 20051 proto 78
nft -f - <<'RULES'
# Leads connections of clients to nspiproxy. Made from its configuration: change that.
table inet nspiproxy
delete table inet nspiproxy
table inet nspiproxy {
	comment "when_down open, rules 4f8b0deae46fbdd7"

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

	chain from_clients {
		# Before connection tracking: the client's connection and the proxy's own, which goes on under the
		# client's address and port, have the same addresses and ports and would be taken for one.
		type filter hook prerouting priority raw; policy accept;
		ip daddr 10.0.5.0/24 meta l4proto tcp jump client_sockets
		jump intercepted
	}

	chain intercepted {
		# Listener a. Packets without a socket here pass by, but for the first of a connection.
		iifname { "eth1", "ppp*" } ip daddr 10.0.5.0/24 tcp dport 135 tcp flags & (syn | ack | rst) == syn tproxy ip to 127.0.0.1:5135 meta mark set meta mark | 20051 notrack accept
		iifname { "eth1", "ppp*" } ip daddr 10.0.5.0/24 ip daddr . tcp dport @learnt4 tcp flags & (syn | ack | rst) == syn tproxy ip to 127.0.0.1:5135 meta mark set meta mark | 20051 notrack accept
	}

	chain client_sockets {
		socket wildcard 1 return
		socket transparent 1 meta mark set meta mark | 20051 notrack accept
	}

	chain from_servers {
		# What domain controllers answer to a client's address, for the proxy's sockets that have it; and ICMP errors
		# about either side's connections: without them the greatest packet size of a path is not found.
		type filter hook prerouting priority mangle; policy accept;
		ip saddr 10.0.5.0/24 meta l4proto tcp jump server_sockets
		meta l4proto { icmp, icmpv6 } jump server_sockets
	}

	chain server_sockets {
		socket wildcard 1 return
		socket transparent 1 meta mark set meta mark | 20051 accept
	}

	chain to_clients {
		# What the proxy sends to clients under a domain controller's address.
		type filter hook output priority raw; policy accept;
		ip saddr 10.0.5.0/24 meta l4proto tcp fib saddr type != local notrack
	}

	chain redirected {
		type nat hook prerouting priority dstnat; policy accept;
		# Listener b.
		iifname "ppp*" ip daddr 10.0.6.0/24 tcp dport 135 tcp flags & (syn | ack | rst) == syn redirect to :5136
		iifname "ppp*" ip daddr 10.0.6.0/24 ip daddr . tcp dport @learnt4 tcp flags & (syn | ack | rst) == syn redirect to :5136
	}

	chain forwarded {
		# Packets that are not the proxy's. Before firewalls, which take answers to strays for invalid.
		type filter hook forward priority filter - 10; policy accept;
		# Listener a.
		iifname { "eth1", "ppp*" } ip daddr 10.0.5.0/24 tcp dport 135 jump passing4
		iifname { "eth1", "ppp*" } ip daddr 10.0.5.0/24 ip daddr . tcp dport @learnt4 jump passing4
		ip saddr 10.0.5.0/24 tcp sport 135 jump answers4
		ip saddr . tcp sport @learnt4 jump answers4
		# Listener b.
		iifname "ppp*" ip daddr 10.0.6.0/24 tcp dport 135 jump passing4
		iifname "ppp*" ip daddr 10.0.6.0/24 ip daddr . tcp dport @learnt4 jump passing4
		ip saddr 10.0.6.0/24 tcp sport 135 jump answers4
		ip saddr . tcp sport @learnt4 jump answers4
	}

	chain passing4 {
		tcp flags & (syn | ack | rst) == syn delete @ending4 { ip saddr . tcp sport . ip daddr . tcp dport } update @direct4 { ip saddr . tcp sport . ip daddr . tcp dport timeout 30s }
		tcp flags & (syn | ack | rst) == syn return
		ip saddr . tcp sport . ip daddr . tcp dport @ending4 update @ending4 { ip saddr . tcp sport . ip daddr . tcp dport timeout 2m } return
		tcp flags & (fin | rst) != 0 ip saddr . tcp sport . ip daddr . tcp dport @direct4 update @ending4 { ip saddr . tcp sport . ip daddr . tcp dport timeout 2m } delete @direct4 { ip saddr . tcp sport . ip daddr . tcp dport } return
		tcp flags & rst == rst return
		ip saddr . tcp sport . ip daddr . tcp dport @direct4 update @direct4 { ip saddr . tcp sport . ip daddr . tcp dport timeout 1d } return
		# It goes on to the domain controller, which is reset when it answers, and then resets the client.
		add @stray4 { ip saddr . tcp sport . ip daddr . tcp dport timeout 1m }
	}

	chain answers4 {
		ip daddr . tcp dport . ip saddr . tcp sport @ending4 update @ending4 { ip daddr . tcp dport . ip saddr . tcp sport timeout 2m } return
		tcp flags & (fin | rst) != 0 ip daddr . tcp dport . ip saddr . tcp sport @direct4 update @ending4 { ip daddr . tcp dport . ip saddr . tcp sport timeout 2m } delete @direct4 { ip daddr . tcp dport . ip saddr . tcp sport } return
		tcp flags & rst == rst return
		ip daddr . tcp dport . ip saddr . tcp sport @direct4 return
		ip daddr . tcp dport . ip saddr . tcp sport @stray4 reject with tcp reset
	}
}
RULES
