//go:build lab

package pool

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/miekg/dns"

	"github.com/nspiproxy/nspiproxy/internal/testkit/lab"
)

// dnsTTL is how long answers of the lab's DNS server may be used, in seconds: the least that the proxy heeds.
const dnsTTL = 5

// dnsServer is a DNS server on a machine, by UDP and TCP.
type dnsServer struct {
	Address string // IP:port
	servers []*dns.Server
	ended   sync.WaitGroup

	mu      sync.Mutex
	records []dns.RR
}

// startDNS starts a server with the lines of a zone file. It ends with the test at the latest.
func startDNS(t *testing.T, on *lab.Machine, zone ...string) *dnsServer {
	t.Helper()
	s := &dnsServer{Address: lab.HostPort(on.Address.String(), 53)}
	s.Set(t, zone...)
	udp, err := on.ListenUDP(s.Address)
	if err != nil {
		t.Fatal(err)
	}
	tcp, err := on.Listen(s.Address)
	if err != nil {
		t.Fatal(err)
	}
	for _, server := range []*dns.Server{{PacketConn: udp}, {Listener: tcp}} {
		up := make(chan struct{})
		server.Handler = dns.HandlerFunc(s.answer)
		server.NotifyStartedFunc = func() { close(up) }
		s.ended.Go(func() { _ = server.ActivateAndServe() })
		<-up
		s.servers = append(s.servers, server)
	}
	t.Cleanup(s.Stop)
	return s
}

// Set replaces all records.
func (s *dnsServer) Set(t *testing.T, zone ...string) {
	t.Helper()
	parser := dns.NewZoneParser(strings.NewReader(strings.Join(zone, "\n")), ".", "")
	parser.SetDefaultTTL(dnsTTL)
	var records []dns.RR
	for rr, ok := parser.Next(); ok; rr, ok = parser.Next() {
		records = append(records, rr)
	}
	if err := parser.Err(); err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records = records
}

// Stop ends the server: nobody answers any more.
func (s *dnsServer) Stop() {
	for _, server := range s.servers {
		_ = server.Shutdown() // an error says that it has ended already
	}
	s.ended.Wait()
}

func (s *dnsServer) answer(w dns.ResponseWriter, question *dns.Msg) {
	s.mu.Lock()
	defer s.mu.Unlock()
	answer := new(dns.Msg).SetReply(question)
	for _, rr := range s.records {
		q := question.Question[0]
		if h := rr.Header(); strings.EqualFold(h.Name, q.Name) && h.Rrtype == q.Qtype {
			answer.Answer = append(answer.Answer, rr)
		}
	}
	_ = w.WriteMsg(answer) // who has asked may have gone
}

// srvRecords are the lines of a zone for the domain controllers of a service, which the names tell with their addresses.
func srvRecords(service string, addresses map[string]netip.Addr) (zone []string) {
	for name, addr := range addresses {
		host := name + ".corp.example."
		zone = append(zone, fmt.Sprintf("%s. IN SRV 0 100 3268 %s", service, host), fmt.Sprintf("%s IN A %s", host, addr))
	}
	return zone
}

// TestPoolFollowsDNS, with the configuration of the operator's page: a domain controller that DNS begins to name is used, one
// that it no longer names gets no new associations and keeps those that it has, and without DNS all goes on as it was.
func TestPoolFollowsDNS(t *testing.T) {
	const service = "_gc._tcp.Berlin._sites.corp.example"
	network := lab.StartNetwork(t)
	first, second := network.DCs[0], network.DCs[1]
	machines := map[string]*lab.Machine{"dc1": first, "dc2": first, "berlin1": second, "berlin2": second}
	addresses := map[string]netip.Addr{"dc1": first.Address, "dc2": first.More(0), "berlin1": second.Address, "berlin2": second.More(0)}
	dcs := map[string]*lab.DC{}
	for name, on := range machines {
		dcs[name] = lab.StartDC(t, lab.DCOptions{On: on, Address: addresses[name].String(), Anonymous: true})
	}
	named := func(names ...string) []string {
		list := map[string]netip.Addr{}
		for _, name := range names {
			list[name] = addresses[name]
		}
		return srvRecords(service, list)
	}
	server := startDNS(t, network.Clients[1], named("dc1", "berlin1")...)
	page := lab.PageBlocks(t, "deploy-forward.md", "yaml")[1]
	proxy := lab.StartProxy(t, lab.ProxyOptions{On: network.Router, OrdinaryUser: true, Config: lab.Replaced(t, page,
		"10.0.5.21", network.Router.Address.String(), "10.0.5.11", addresses["dc1"].String(), "10.0.5.12", addresses["dc2"].String(),
		"srv: "+service, fmt.Sprintf("srv: %s, dns_server: %q", service, server.Address))})
	waitForPorts(t, proxy, "dc1", "dc2", "site/berlin1.corp.example")
	s := &poolStage{Network: network, proxy: proxy}
	berlin1 := guidOf(t, network.Clients[0], dcs["berlin1"])
	var all, onBerlin1 []*lab.Conn
	open := func(n int) {
		t.Helper()
		for range n {
			c := s.dial(t, network.Clients[0], netip.Addr{})
			if all = append(all, c); bindWhere(t, c) == berlin1 {
				onBerlin1 = append(onBerlin1, c)
			}
		}
	}
	held := func(want map[string]int) {
		t.Helper()
		lab.Eventually(t, lab.SettleTime, fmt.Sprintf("sessions: %v", want), func() bool {
			got, total := map[string]int{}, 0
			for name := range want {
				got[name] = dcs[name].Count(t).Sessions
				total += got[name]
			}
			return maps.Equal(got, want) && int(proxy.Metrics(t).Sum("nspiproxy_sessions_held")) == total
		})
	}

	open(6) // dc1 is one, though it is named twice
	held(map[string]int{"dc1": 2, "dc2": 2, "berlin1": 2, "berlin2": 0})

	server.Set(t, named("dc1", "berlin1", "berlin2")...)
	waitForPorts(t, proxy, "site/berlin2.corp.example")
	open(2)
	held(map[string]int{"dc1": 2, "dc2": 2, "berlin1": 2, "berlin2": 2})

	server.Set(t, named("dc1", "berlin2")...)
	lab.Eventually(t, lab.SettleTime, "it is noticed that one has left", func() bool {
		return slices.ContainsFunc(proxy.Events("srv.changed"), func(r lab.Record) bool {
			return strings.Contains(fmt.Sprint(r["reason"]), "-berlin1.corp.example")
		})
	})
	open(6)
	held(map[string]int{"dc1": 4, "dc2": 4, "berlin1": 2, "berlin2": 4})
	for _, c := range onBerlin1 {
		lab.OpenSession(t, c)
		joined := s.dial(t, network.Clients[0], netip.Addr{})
		all = append(all, joined)
		if err := joined.Bind(c.Group); err != nil {
			t.Errorf("joining an association there: %v", err)
		}
		lab.OpenSession(t, joined)
	}
	held(map[string]int{"dc1": 4, "dc2": 4, "berlin1": 6, "berlin2": 4})

	server.Stop()
	lab.Eventually(t, lab.SettleTime, "it is noticed that DNS does not answer", func() bool { return len(proxy.Events("srv.failed")) > 0 })
	open(3)
	held(map[string]int{"dc1": 5, "dc2": 5, "berlin1": 6, "berlin2": 5})
	for _, r := range proxy.Events("dc.down") {
		t.Errorf("taken for dead: %v", r)
	}
	for _, c := range all {
		c.Close()
	}
	held(map[string]int{"dc1": 0, "dc2": 0, "berlin1": 0, "berlin2": 0})
}
