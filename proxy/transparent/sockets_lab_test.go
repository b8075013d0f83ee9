//go:build lab

package transparent

import (
	"fmt"
	"net"
	"strings"
	"testing"
)

// address is the endpoint mapper of the domain controller.
const address = dcIPv4 + ":135"

// firewall is what many routers have: packets that connection tracking cannot
// place are dropped.
const firewall = `nft -f - <<'N'
table inet firewall {
	chain input {
		type filter hook input priority filter; policy accept;
		ct state invalid counter drop
		ct state established,related accept
	}
	chain forward {
		type filter hook forward priority filter; policy accept;
		ct state invalid counter drop
	}
	chain output {
		type filter hook output priority filter; policy accept;
		ct state invalid counter drop
		ct state established,related accept
	}
}
N`

// strictFirewall lets nothing in or out but what belongs to a connection that is
// known, neighbour discovery, and what the script of a plan says.
func strictFirewall(p *Plan) string {
	hook := func(name string, accept []string) string {
		return fmt.Sprintf(`	chain %[1]s {
		type filter hook %[1]s priority filter; policy drop;
		%s
		icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit, nd-router-advert } accept
		ct state invalid drop
		ct state established,related accept
	}
`, name, strings.Join(accept, "\n\t\t"))
	}
	return "nft -f - <<'N'\ntable inet firewall {\n" + hook("input", p.acceptInput()) + hook("output", p.acceptOutput()) + "}\nN"
}

func TestTwoConnectionsWithTheSamePortsPassAFirewallWithConnectionTracking(t *testing.T) {
	n := newNetwork(t)
	n.server.serve(t, address)
	sh(t, firewall)
	defer sh(t, "nft delete table inet firewall")
	apply(t, tproxy(t, "open"), "")
	startTPROXY(t)
	c := n.client.connect(t, address)
	if err := c.echo(10 << 20); err != nil || !c.own() {
		t.Errorf("error %v, the server sees %s, the client is %s", err, c.seen, c.LocalAddr())
	}
	if rules := sh(t, "nft list table inet firewall"); strings.Count(rules, "ct state invalid counter packets 0 bytes 0 drop") != 3 {
		t.Errorf("packets were dropped:\n%s", rules)
	}
}

func TestSourceNATStaysAsItIsWithoutTheProxy(t *testing.T) {
	n := newNetwork(t)
	n.server.serve(t, address)
	sh(t, `nft 'table inet nat { chain post { type nat hook postrouting priority srcnat; policy accept; oifname "r2" masquerade; }; }'`)
	defer sh(t, "nft delete table inet nat")
	check := func(what string) {
		t.Helper()
		c := n.client.connect(t, address)
		if err := c.echo(1 << 20); err != nil || !strings.HasPrefix(c.seen, "10.77.2.1:") {
			t.Errorf("%s: error %v, the server sees %s", what, err, c.seen)
		}
	}
	check("without the proxy")
	apply(t, tproxy(t, "open"), "")
	startTPROXY(t)
	check("with it")
}

func TestReverseLookupsAndMarkedAnswersDoNotMatter(t *testing.T) {
	n := newNetwork(t)
	n.server.serve(t, address)
	apply(t, tproxy(t, "open"), "")
	startTPROXY(t)
	sh(t, "sysctl -qw net.ipv4.tcp_fwmark_accept=1 net.ipv4.fwmark_reflect=1")
	defer sh(t, "sysctl -qw net.ipv4.tcp_fwmark_accept=0 net.ipv4.fwmark_reflect=0 net.ipv4.conf.all.src_valid_mark=0 net.ipv4.conf.all.rp_filter=0")
	for _, valid := range []int{0, 1} {
		for _, filter := range []int{0, 1, 2} {
			setting := fmt.Sprintf("net.ipv4.conf.all.src_valid_mark=%d net.ipv4.conf.all.rp_filter=%d", valid, filter)
			sh(t, "sysctl -qw "+setting)
			if c, err := n.client.dial(t, address); err != nil || c.echo(1<<16) != nil || !c.own() {
				t.Errorf("%s: %v", setting, err)
			}
		}
	}
	// A firewall's own filter of reverse paths, which looks with the mark.
	sh(t, `nft 'table inet firewall { chain pre { type filter hook prerouting priority mangle + 10; policy accept; fib saddr . mark . iif oif missing drop; }; }'`)
	defer sh(t, "nft delete table inet firewall")
	if c, err := n.client.dial(t, address); err != nil || c.echo(1<<16) != nil {
		t.Errorf("a filter by nftables: %v", err)
	}
	// The reset of a connection that passed by is an answer to a marked packet.
	if err := Remove(); err != nil {
		t.Fatal(err)
	}
	c := n.client.connect(t, address)
	apply(t, tproxy(t, "open"), "")
	if err := c.echo(10); !isReset(err) {
		t.Errorf("a connection that passed by: %v", err)
	}
}

// TestServersEndReachesSocketsInTimeWait: a server that ends seconds after the
// proxy finds a socket that is only a shadow of itself. Without it the server
// would repeat its end for minutes.
func TestServersEndReachesSocketsInTimeWait(t *testing.T) {
	for _, address := range []string{dcIPv4, dcIPv6} {
		t.Run(address, func(t *testing.T) {
			n := newNetwork(t)
			dc := n.server.serve(t, net.JoinHostPort(address, "135"))
			dc.mayEnd = make(chan struct{})
			apply(t, tproxy(t, "open"), "")
			proxy := startTPROXY(t)
			c := n.client.connect(t, net.JoinHostPort(address, "135"))
			proxy.kill()
			eventually(t, "the proxy's socket waits for the server's end", func() bool {
				return strings.Contains(sh(t, "ss -Htan state fin-wait-2 dport = 135"), c.seen)
			})
			close(dc.mayEnd)
			_ = dc.end(t)
			eventually(t, "the server's socket is gone", func() bool {
				return n.server.sh(t, "ss -Htan state last-ack state close-wait sport = 135") == ""
			})
			if left := sh(t, "ss -Htan state time-wait dport = 135"); !strings.Contains(left, c.seen) {
				t.Errorf("the server's end has not arrived: %q", left)
			}
		})
	}
}

func TestPacketTooBigReachesBothSidesSockets(t *testing.T) {
	const mtu = 1300
	for _, side := range []string{"client", "server"} {
		for _, address := range []string{dcIPv4, dcIPv6} {
			t.Run(side+" "+address, func(t *testing.T) {
				n := newNetwork(t)
				near := n.narrow(t, side, mtu)
				near.server.serve(t, net.JoinHostPort(address, "135"))
				const script = "sysctl -qw net.ipv4.tcp_mtu_probing=0"
				sh(t, script)
				near.client.sh(t, script)
				near.server.sh(t, script)
				apply(t, tproxy(t, "open"), "")
				startTPROXY(t)
				c := near.client.connect(t, net.JoinHostPort(address, "135"))
				if err := c.echo(1 << 20); err != nil || !c.own() {
					t.Errorf("error %v, the server sees %s, the client is %s", err, c.seen, c.LocalAddr())
				}
			})
		}
	}
}

// narrow makes the namespace of one side a router and puts that side behind it:
// smaller packets than either end knows of pass to it.
func (n *network) narrow(t *testing.T, side string, mtu int) *network {
	t.Helper()
	far, middle, near, ip4, ip6 := *n, n.client, "c0", n.ipv4, n.ipv6
	mine4, mine6, router4, router6 := "10.76.255.254/16", "fd76::ffff/64", "10.76.0.1", "fd76::1"
	if side == "server" {
		middle, near, ip4, ip6 = n.server, "s0", dcIPv4, dcIPv6
		mine4, mine6, router4, router6 = "10.77.2.3/24", "fd77:2::3/64", "10.77.2.1", "fd77:2::1"
	}
	end := newNamespace(t)
	// The end has the addresses; the router answers for it on the near side.
	middle.sh(t, fmt.Sprintf(`
sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv4.conf.all.proxy_arp=1 net.ipv6.conf.%[1]s.proxy_ndp=1
ip addr flush dev %[1]s scope global
ip neigh add proxy %[2]s dev %[1]s
ip link add m0 type veth peer name e0 netns %[3]s
ip addr add 10.78.0.1/24 dev m0; ip addr add fd78::1/64 dev m0 nodad; ip link set m0 up`, near, ip6, end.Path()))
	middle.attach(t, near, mine4, mine6, router4, router6)
	middle.sh(t, fmt.Sprintf("ip route add %[1]s/32 dev m0 mtu lock %[3]d; ip route add %[2]s/128 dev m0 mtu lock %[3]d", ip4, ip6, mtu))
	end.sh(t, fmt.Sprintf(`
ip addr add %[1]s/32 dev e0; ip addr add %[2]s/128 dev e0 nodad; ip addr add fd78::2/64 dev e0 nodad; ip link set e0 up
ip route add 10.78.0.1 dev e0; ip route add default via 10.78.0.1; ip route add default via fd78::1 src %[2]s`, ip4, ip6))
	if side == "server" {
		far.server = end
	} else {
		far.client = end
	}
	return &far
}

func TestOtherProgramsTransparentListenersKeepTheirConnections(t *testing.T) {
	n := newNetwork(t)
	// Somebody else listens transparently on all addresses, on a port that is also
	// the one of a service in the clients' network.
	lc := net.ListenConfig{Control: transparentSocket}
	l, err := lc.Listen(t.Context(), "tcp4", ":3129")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	n.client.serve(t, n.ipv4+":3129")
	apply(t, tproxy(t, "closed"), "")
	startTPROXY(t)
	c := n.server.connect(t, n.ipv4+":3129")
	if err := c.echo(1 << 16); err != nil || !c.own() {
		t.Errorf("error %v, the service sees %s, the domain controller is %s", err, c.seen, c.LocalAddr())
	}
}

func TestOtherTrafficIsNotTouched(t *testing.T) {
	for mode, p := range map[string]*Plan{"tproxy": tproxy(t, "closed"), "redirect": redirect(t, "closed")} {
		t.Run(mode, func(t *testing.T) {
			n := newNetwork(t)
			n.server.serve(t, address)
			n.server.serve(t, dcIPv4+":389")
			n.client.serve(t, n.ipv4+":135")
			before := n.client.connect(t, dcIPv4+":389")
			local := connect(t, address)
			apply(t, p, dcIPv4+":49677")
			for what, c := range map[string]*conn{
				"another port, from before the rules":       before,
				"another port":                              n.client.connect(t, dcIPv4+":389"),
				"the router's own, from before the rules":   local,
				"the router's own":                          connect(t, address),
				"the domain controller's to a client's 135": n.server.connect(t, n.ipv4+":135"),
			} {
				if err := c.echo(1 << 16); err != nil || !c.own() {
					t.Errorf("%s: error %v, the server sees %s, the client is %s", what, err, c.seen, c.LocalAddr())
				}
			}
		})
	}
}
