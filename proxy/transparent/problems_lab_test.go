//go:build lab

package transparent

import (
	"fmt"
	"net"
	"strings"
	"testing"
)

// places are what an administrator may have made of r1, where clients arrive, how
// it is undone, and which interfaces in the configuration take connections then.
// The address of the clients' router goes where it belongs.
var places = []struct {
	name, make, undo string
	taken, passed    []string
}{
	{name: "plain", taken: []string{"r1", "r*", "r1, eth9"}, passed: []string{"eth9", "R1", "eth*", "r11"}},
	{name: "alternative name", make: `ip link property add dev r1 altname enp3s0`, undo: `ip link property del dev r1 altname enp3s0`,
		taken: []string{"r1"}, passed: []string{"enp3s0"}},
	{name: "bridge", make: `sysctl -qw net.bridge.bridge-nf-call-iptables=0 net.bridge.bridge-nf-call-ip6tables=0; ip link add br0 type bridge; ip link set r1 master br0; ip link set br0 up; move r1 br0`, undo: `ip link set r1 nomaster; move br0 r1; ip link del br0`,
		taken: []string{"br0", "r1, br0", "br*"}, passed: []string{"r1", "r1*"}},
	{name: "macvlan that takes everything", make: `ip link add link r1 name mv0 type macvlan mode passthru; ip link set mv0 up; move r1 mv0`, undo: `move mv0 r1; ip link del mv0`,
		taken: []string{"mv0", "r1, mv0"}, passed: []string{"r1"}},
	{name: "virtual MAC address", make: `ip link add link r1 name vrrp.51 type macvlan mode private; ip addr add 10.76.255.1/32 dev vrrp.51; ip link set vrrp.51 up; mac vrrp.51`,
		undo: `ip link del vrrp.51; mac r1`, taken: []string{"vrrp.51", "r1, vrrp.51"}, passed: []string{"r1"}},
}

// TestWhatPassesByTheListedInterfacesIsSaid makes connections from a client through
// r1, whatever it is a part of: one that is not taken was warned of.
func TestWhatPassesByTheListedInterfacesIsSaid(t *testing.T) {
	n := newNetwork(t)
	for _, family := range []string{dcIPv4, dcIPv6} {
		n.server.serve(t, net.JoinHostPort(family, "135"))
	}
	for _, p := range places {
		t.Run(p.name, func(t *testing.T) {
			n.place(t, p.make)
			defer n.place(t, p.undo)
			n.place(t, "") // neighbours
			for _, interfaces := range p.taken {
				n.checkTaken(t, interfaces, true)
			}
			for _, interfaces := range p.passed {
				n.checkTaken(t, interfaces, false)
			}
		})
	}
}

// place runs a script where the rules are, in which move gives the addresses of one
// interface to another, and mac makes one the client's router.
func (n *network) place(t *testing.T, script string) {
	t.Helper()
	mac := fmt.Sprintf(`mac() { m=$(cat /proc/net/dev >/dev/null; ip -o link show $1 | sed 's/.*link.ether \([^ ]*\).*/\1/');
nsenter --net=%s ip neigh replace 10.76.0.1 lladdr $m dev c0; nsenter --net=%[1]s ip neigh replace fd76::1 lladdr $m dev c0; }`, n.client.Path())
	const move = `move() { ip addr flush dev $1 scope global; ip addr add 10.76.0.1/16 dev $2; ip addr add fd76::1/64 dev $2 nodad; mac $2; }`
	sh(t, mac+"\n"+move+"\n"+script)
}

// checkTaken connects in both families.
func (n *network) checkTaken(t *testing.T, interfaces string, taken bool) {
	t.Helper()
	p := plan(t, fmt.Sprintf(`{name: path, mode: tproxy, port: %d, destinations: [10.77.2.0/24, "fd77:2::/64"], interfaces: ["%s"]}`,
		tproxyPort, strings.ReplaceAll(interfaces, ", ", `", "`)), "")
	apply(t, p, "")
	s := startTPROXY(t)
	defer s.kill()
	for _, family := range []string{dcIPv4, dcIPv6} {
		before := s.took()
		c, err := n.client.dial(t, net.JoinHostPort(family, "135"))
		if err == nil {
			err = c.echo(10)
		}
		if err != nil {
			t.Errorf("from [%s], %s: %v", interfaces, family, err)
		}
		if got := s.took() > before; got != taken {
			t.Errorf("from [%s], %s: taken %t, want %t", interfaces, family, got, taken)
		}
	}
	if problems := p.Problems(); len(problems) > 0 == taken && interfaces != "r1, eth9" {
		t.Errorf("from [%s]: taken %t, and said is %v", interfaces, taken, problems)
	}
}

// TestTPROXYOnABridgeThatAppliesRulesForIPPacketsIsWarnedOf uses IPv6, where a client
// is refused at once; over IPv4 it waits.
func TestTPROXYOnABridgeThatAppliesRulesForIPPacketsIsWarnedOf(t *testing.T) {
	const off = "sysctl -qw net.bridge.bridge-nf-call-iptables=0 net.bridge.bridge-nf-call-ip6tables=0; ip link set br0 type bridge nf_call_iptables 0 nf_call_ip6tables 0"
	n := newNetwork(t)
	n.server.serve(t, net.JoinHostPort(dcIPv6, "135"))
	n.place(t, "ip link add br0 type bridge; ip link set r1 master br0; ip link set br0 up; move r1 br0")
	defer n.place(t, "ip link set r1 nomaster; move br0 r1; ip link del br0; "+strings.SplitN(off, ";", 2)[0])
	p := plan(t, `{name: path, mode: tproxy, port: 5135, destinations: [10.77.2.0/24, "fd77:2::/64"], interfaces: [br0]}`, "")
	apply(t, p, "")
	startTPROXY(t)
	for setting, want := range map[string]string{
		"": "",
		"sysctl -qw net.bridge.bridge-nf-call-ip6tables=1": "BridgeFilter net.bridge.bridge-nf-call-ip6tables of br0",
		"ip link set br0 type bridge nf_call_ip6tables 1":  "BridgeFilter nf_call_ip6tables of br0",
	} {
		sh(t, off+"\n"+setting)
		c, err := n.client.dial(t, net.JoinHostPort(dcIPv6, "135"))
		if err == nil {
			err = c.echo(10)
		}
		if got := shorthand(p.Problems()); got != want || (err == nil) != (want == "") {
			t.Errorf("%s: %v, said is %q, want %q", setting, err, got, want)
		}
	}
}

// The kernel answers for routes of each kind.
func TestDestinationsWithoutARouteAreSaid(t *testing.T) {
	newNetwork(t)
	sh(t, `ip route add unreachable 10.80.1.0/24; ip route add blackhole 10.80.2.0/24; ip route add prohibit 10.80.3.0/24; ip route add local 10.80.4.0/24 dev lo
ip route add 10.80.5.128/25 via 10.77.2.2; ip route add 10.76.9.0/24 via 10.76.0.9 dev r1; ip route add 10.80.6.0/24 via 10.77.2.2 table 77; ip rule add to 10.80.6.0/24 lookup 77
ip route add unreachable fd80:1::/64; ip route add blackhole fd80:2::/64; ip route add prohibit fd80:3::/64; ip route add local fd80:4::/64 dev lo; ip route add fd80:5:0:0:8000::/65 via fd77:2::2
for i in $(seq 2000); do echo "route add 10.90.$((i/250)).$((i%250)) via 10.77.2.2"; done | ip -batch -`)
	defer sh(t, `ip route flush root 10.80.0.0/16; ip route flush root 10.90.0.0/16; ip rule del to 10.80.6.0/24; ip route flush table 77; ip -6 route flush root fd80::/16; ip route flush table local root 10.80.0.0/16; ip -6 route flush table local root fd80::/16`)
	for destination, want := range map[string]string{
		"10.77.2.0/24": "", "10.77.2.2": "", "10.77.0.0/16": "", "10.0.0.0/8": "", "10.80.5.0/24": "", "10.80.0.0/20": "", "10.80.6.0/24": "", "10.80.0.0/16": "", "10.90.0.0/16": "",
		"fd77:2::/64": "", "fd77:2::2": "", "fd77::/16": "", "fd80:5::/64": "", "fd80::/16": "",
		"10.80.1.0/24": "NoRoute", "10.80.2.0/24": "NoRoute", "10.80.3.0/24": "NoRoute", "10.81.0.0/16": "NoRoute", "10.80.1.1": "NoRoute", "10.80.5.1": "NoRoute", "10.77.2.255": "NoRoute",
		"fd80:1::/64": "NoRoute", "fd80:2::/64": "NoRoute", "fd80:3::/64": "NoRoute", "fd81::/32": "NoRoute", "fd80:5::1": "NoRoute",
		"10.77.2.1": "OwnAddress", "10.80.4.0/24": "OwnAddress", "fd77:2::1": "OwnAddress", "fd80:4::/64": "OwnAddress",
		"10.76.9.0/24": "RoutedBack", "10.76.0.0/16": "RoutedBack", "fd76::/64": "RoutedBack",
	} {
		p := plan(t, fmt.Sprintf(`{name: path, mode: tproxy, port: 5135, destinations: ["%s"], interfaces: [r1]}`, destination), "")
		if got := shorthand(p.Problems()); got != want && !strings.HasPrefix(got, want+" "+destination) {
			t.Errorf("%s: %q, want %s", destination, got, want)
		}
	}
}
