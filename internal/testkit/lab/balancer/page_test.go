//go:build lab

package balancer

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/internal/testkit/lab"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

// fixedPort is the port of NSPI on domain controllers behind load balancers, as on the operator's page.
const fixedPort = 6004

// TestLoadBalancerPageWorksAsWritten: its two configurations, with the lab's addresses in them.
func TestLoadBalancerPageWorksAsWritten(t *testing.T) {
	network := lab.StartNetwork(t)
	client, balancer := network.Clients[0], network.DCs[1]
	places := []*lab.Machine{network.Router, network.Clients[1]}
	dc := lab.StartDC(t, lab.DCOptions{On: network.DCs[0], Anonymous: true, NSPIPort: fixedPort})
	var proxies []*lab.Proxy
	for _, on := range places {
		config := lab.Replaced(t, lab.PageBlocks(t, "deploy-loadbalancer.md", "yaml")[0],
			"10.0.0.10", on.Address.String(), "10.0.9.0/24", "10.77.4.0/24", "10.0.5.11", dc.Address)
		lab.CheckConfig(t, config)
		proxies = append(proxies, lab.StartProxy(t, lab.ProxyOptions{On: on, OrdinaryUser: true, Config: config}))
	}
	lab.StartHAProxy(t, balancer, lab.Replaced(t, lab.PageBlocks(t, "deploy-loadbalancer.md", "haproxy")[0],
		"10.0.0.10", places[0].Address.String(), "10.0.0.11", places[1].Address.String()), lab.PortEPM, fixedPort)

	var all []*lab.Conn
	for n := range 12 {
		front, local := balancer.Address, client.More(n)
		if n%2 == 1 {
			front, local = balancer.Address6, client.More6(n)
		}
		first, second := lab.DialFrom(t, client, front, local), lab.DialFrom(t, client, front, local)
		if port := lab.EndsOf(first).Server.Port(); port != fixedPort {
			t.Errorf("clients are told port %d", port)
		}
		handle := lab.OpenSession(t, first)
		if err := second.Bind(first.Group); err != nil {
			t.Fatalf("the connections of %s do not meet: %v", local, err)
		}
		if code, err := second.NspiUnbind(handle); err != nil || code != nspi.UnbindSuccess {
			t.Errorf("NspiUnbind: %s, %v", code, err)
		}
		lab.OpenSession(t, second)
		all = append(all, first, second)
	}
	checkPageLog(t, proxies, all[0])
	for _, front := range []netip.Addr{balancer.Address, balancer.Address6} {
		client.Run(t, lab.Program(t), "probe", front.String())
	}
	impacket := lab.StartImpacketOn(t, client)
	for _, w := range []lab.Variant{lab.NTLMPrivacy, lab.SPNEGOPrivacy} {
		lab.Expect(t, "connect", impacket.Connect(w.Name, w.At(balancer.Address.String())))
		lab.Expect(t, "query", impacket.Query(w.Name, lab.Expect(t, "bind", impacket.Bind(w.Name)).Handle))
	}
	impacket.Kill()
	for _, c := range all {
		c.Close()
	}
	for _, p := range proxies {
		if n := p.Metrics(t).Sum("nspiproxy_nspi_binds_total", `result="granted"`); n < 4 {
			t.Errorf("%v binds came to the proxy at %s", n, p.Front)
		}
		lab.CheckHeld(t, p, dc, 0)
	}
}

// checkPageLog lets a client come to the page's limit, and looks at what the page says to look at.
func checkPageLog(t *testing.T, proxies []*lab.Proxy, c *lab.Conn) {
	t.Helper()
	const pageLimit = 50
	for range pageLimit {
		lab.OpenSession(t, c) // also beyond the limit: dry_run
	}
	lab.Eventually(t, lab.SettleTime, "the client is in the log", func() bool {
		return len(proxies[0].Refusals())+len(proxies[1].Refusals()) > 0
	})
	for _, p := range proxies {
		for _, r := range p.Refusals() {
			if want := c.TCP.LocalAddr().String(); r["client"] != want {
				t.Errorf("a bind of %v is over the limit, want one of %s", r["client"], want)
			}
		}
		checkOnlyRefusals(t, p)
		if n := p.Metrics(t).Sum("nspiproxy_connections_closed_total", `cause="proxy_header"`); n != 0 {
			t.Errorf("%v connections had no good header", n)
		}
	}
}

// checkOnlyRefusals looks for warnings of anything but binds over the limit.
func checkOnlyRefusals(t *testing.T, proxy *lab.Proxy) {
	t.Helper()
	for _, line := range proxy.Warnings() {
		if !strings.Contains(line, "limit.reject") {
			t.Errorf("a warning: %s", line)
		}
	}
}

// balanced is a proxy on the router that believes the machine of dc2, in both families: by IPv4 in front of one domain controller,
// by IPv6 in front of two. These are on the machine of dc1.
type balanced struct {
	*lab.Network
	balancer *lab.Machine
	dcs      [2]*lab.DC
	proxy    *lab.Proxy
}

func startBalanced(t *testing.T, limit int) *balanced {
	t.Helper()
	s := &balanced{Network: lab.StartNetwork(t)}
	s.balancer = s.DCs[1]
	for n, address := range []netip.Addr{s.DCs[0].Address, s.DCs[0].More(0)} {
		s.dcs[n] = lab.StartDC(t, lab.DCOptions{On: s.DCs[0], Address: address.String(), Anonymous: true, NSPIPort: fixedPort})
	}
	s.proxy = lab.StartProxy(t, lab.ProxyOptions{On: s.Router, OrdinaryUser: true, Config: fmt.Sprintf(`version: 1
listeners:
  - {name: four, mode: forward, address: 10.77.9.2, backend: dc1, proxy_protocol_from: [10.77.4.0/24]}
  - {name: six, mode: forward, address: "fd77:9::2", backends: [dc1, dc2], proxy_protocol_from: ["fd77:4::/64"]}
backends:
  - {name: dc1, address: 10.77.2.2, nspi_port: %d}
  - {name: dc2, address: 10.77.2.100, nspi_port: %[1]d}
policy: {scope: all, default: {limit: %d}}
identity: {networks: {ipv6: 128}}
health: {check: none}
relay: {handshake_timeout: %s}
metrics: {address: 127.0.0.1:9135}
`, fixedPort, limit, headerTime)})
	return s
}

// checkHeld waits until the proxy and the domain controllers agree that so many sessions are held.
func (s *balanced) checkHeld(t *testing.T, want int) {
	t.Helper()
	lab.Eventually(t, lab.SettleTime, fmt.Sprintf("%d sessions are held", want), func() bool {
		return s.dcs[0].Count(t).Sessions+s.dcs[1].Count(t).Sessions == want &&
			int(s.proxy.Metrics(t).Sum("nspiproxy_sessions_held")) == want
	})
}

// headerTime is how long a header may take.
const headerTime = 2 * time.Second

// TestLoadBalancerNamesItsClients: with both versions of the header, over both families on both sides, the log of a refusal and
// the limit are about the client, not about the load balancer. Its health checks, with and without a header, leave no trace.
func TestLoadBalancerNamesItsClients(t *testing.T) {
	s := startBalanced(t, 1)
	config := "defaults\n mode tcp\n timeout connect 5s\n timeout client 1m\n timeout server 1m\n"
	var ports []int
	for _, way := range []string{"check inter 100ms send-proxy", "check inter 100ms send-proxy-v2",
		"check inter 100ms check-send-proxy port 6004 send-proxy-v2", "check inter 100ms no-check-send-proxy send-proxy-v2"} {
		for _, to := range []netip.Addr{s.Router.Address, s.Router.Address6} {
			port := 7001 + len(ports)
			ports = append(ports, port)
			config += fmt.Sprintf("listen l%d\n bind :::%d v4v6\n server s %s %s\n", port, port, netip.AddrPortFrom(to, fixedPort), way)
		}
	}
	lab.StartHAProxy(t, s.balancer, config, ports...)
	var all []*lab.Conn
	for n, port := range ports {
		for _, machine := range s.Clients {
			for to, local := range map[netip.Addr]netip.Addr{s.balancer.Address: machine.More(n), s.balancer.Address6: machine.More6(n)} {
				all = append(all, refusedBehind(t, s, machine, netip.AddrPortFrom(to, uint16(port)), local))
			}
		}
	}
	s.checkHeld(t, len(all))
	if n := s.proxy.BackendMetric(t, "sessions", "dc2"); n == 0 {
		t.Error("nobody is on the second domain controller")
	}
	before := s.proxy.Metrics(t).Sum("nspiproxy_connections_total")
	lab.Eventually(t, lab.SettleTime, "some health checks have passed", func() bool {
		return s.proxy.Metrics(t).Sum("nspiproxy_connections_total") > before+80
	})
	if n := s.proxy.Metrics(t).Sum("nspiproxy_connections_closed_total", `cause="proxy_header"`); n != 0 {
		t.Errorf("%v health checks count as without a good header", n)
	}
	checkOnlyRefusals(t, s.proxy)
	for _, c := range all {
		c.Close()
	}
	s.checkHeld(t, 0)
}

// refusedBehind uses up what a client may have, and looks who is refused more.
func refusedBehind(t *testing.T, s *balanced, machine *lab.Machine, to netip.AddrPort, local netip.Addr) *lab.Conn {
	t.Helper()
	conn, err := machine.Dial(to.String(), local)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	c := lab.NewConn(conn)
	lab.OpenSession(t, c)
	second, err := machine.Dial(to.String(), local)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	if err := lab.NewConn(second).Bind(c.Group); err != nil {
		t.Errorf("%s cannot join its association: %v", local, err)
	}
	if _, code, err := c.NspiBind(); err != nil || code != nspi.LogonFailed {
		t.Errorf("bind above the limit from %s: %s, %v", local, code, err)
	}
	want := conn.LocalAddr().String()
	lab.Eventually(t, lab.SettleTime, "the refusal of "+want+" is logged", func() bool {
		return slices.ContainsFunc(s.proxy.Refusals(), func(r lab.Record) bool { return r["client"] == want && r["current"] == 1.0 })
	})
	return c
}
