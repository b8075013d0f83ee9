package backend

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/miekg/dns"
)

// dnsServer is a DNS server on loopback, by UDP and TCP, with the records of a
// zone file.
type dnsServer struct {
	addr netip.AddrPort

	mu     sync.Mutex
	zone   []dns.RR
	rcode  int
	extra  bool                             // the addresses of SRV targets come along
	spoil  func(network string, m *dns.Msg) // changes what is sent
	raw    func(network string) []byte      // sent instead, if not nil
	silent bool
	asked  []string // "udp SRV name."
}

func newDNSServer(t testing.TB, zone string) *dnsServer {
	t.Helper()
	tcp := loopback(t)
	udp, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(addrOf(tcp)))
	if err != nil {
		t.Fatal(err)
	}
	s := &dnsServer{addr: addrOf(tcp)}
	s.load(t, zone)
	for network, server := range map[string]*dns.Server{"udp": {PacketConn: udp}, "tcp": {Listener: tcp}} {
		up, down := make(chan struct{}), make(chan struct{})
		server.NotifyStartedFunc = func() { close(up) }
		server.Handler = dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) { s.answer(network, w, q) })
		go func() { defer close(down); _ = server.ActivateAndServe() }()
		<-up
		t.Cleanup(func() { _ = server.Shutdown(); <-down })
	}
	return s
}

// load replaces the records.
func (s *dnsServer) load(t testing.TB, zone string) {
	t.Helper()
	parser := dns.NewZoneParser(strings.NewReader(zone), ".", "")
	var records []dns.RR
	for rr, ok := parser.Next(); ok; rr, ok = parser.Next() {
		records = append(records, rr)
	}
	if err := parser.Err(); err != nil {
		t.Fatal(err)
	}
	s.set(func() { s.zone = records })
}

func (s *dnsServer) set(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

// questions returns what was asked since the last time.
func (s *dnsServer) questions() (list []string) {
	s.set(func() { list, s.asked = s.asked, nil })
	return list
}

func (s *dnsServer) answer(network string, w dns.ResponseWriter, q *dns.Msg) {
	s.mu.Lock()
	defer s.mu.Unlock()
	question := q.Question[0]
	s.asked = append(s.asked, fmt.Sprintf("%s %s %s", network, dns.TypeToString[question.Qtype], question.Name))
	if s.silent {
		return
	}
	if s.raw != nil {
		_, _ = w.Write(s.raw(network))
		return
	}
	m := new(dns.Msg).SetRcode(q, s.rcode)
	m.Answer = s.find(question.Name, question.Qtype)
	if s.extra {
		for _, rr := range m.Answer {
			if srv, ok := rr.(*dns.SRV); ok {
				m.Extra = append(m.Extra, s.find(srv.Target, dns.TypeA)...)
				m.Extra = append(m.Extra, s.find(srv.Target, dns.TypeAAAA)...)
			}
		}
	}
	if len(m.Answer) == 0 && m.Rcode == dns.RcodeSuccess && !s.exists(question.Name) {
		m.Rcode = dns.RcodeNameError
	}
	if s.spoil != nil {
		s.spoil(network, m)
	}
	if network == "udp" {
		m.Truncate(dns.MinMsgSize)
	}
	_ = w.WriteMsg(m) // the client may have gone
}

// find returns the records of a type with the aliases that lead to them.
func (s *dnsServer) find(name string, qtype uint16) (list []dns.RR) {
	for _, rr := range s.zone {
		if h := rr.Header(); !strings.EqualFold(h.Name, name) {
			continue
		} else if h.Rrtype == qtype {
			list = append(list, rr)
		} else if alias, ok := rr.(*dns.CNAME); ok {
			list = append(append(list, rr), s.find(alias.Target, qtype)...)
		}
	}
	return list
}

func (s *dnsServer) exists(name string) bool {
	return slices.ContainsFunc(s.zone, func(rr dns.RR) bool { return strings.EqualFold(rr.Header().Name, name) })
}
