package backend

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/nspiproxy/nspiproxy/internal/testkit/closedport"
)

const srvName = "_gc._tcp.corp.example"

const site = `
_gc._tcp.corp.example. 600 IN SRV 0 100 3268 DC1.corp.example.
_gc._tcp.corp.example. 600 IN SRV 10 100 3268 dc2.corp.example.
dc1.corp.example. 1200 IN A 10.0.0.11
dc2.corp.example. 300 IN A 10.0.0.12
dc2.corp.example. 300 IN AAAA fd00::12
`

// asking makes a resolver of these servers, which have all the time of a test.
func asking(servers ...netip.AddrPort) *resolver {
	var list []string
	for _, addr := range servers {
		list = append(list, addr.String())
	}
	return &resolver{servers: func() ([]string, error) { return list, nil }, timeout: waitTimeout}
}

func lookUp(t *testing.T, s *dnsServer, before map[string]netip.Addr) (targets, error) {
	t.Helper()
	return asking(s.addr).lookup(context.Background(), srvName, before)
}

// describe writes targets down.
func describe(list []target) (words []string) {
	for _, t := range list {
		words = append(words, fmt.Sprintf("%s %v %d", t.host, t.addr, t.priority))
	}
	return words
}

func wantTargets(t *testing.T, got targets, err error, want ...string) {
	t.Helper()
	if words := describe(got.list); err != nil || !slices.Equal(words, want) {
		t.Fatalf("%q, %v, want %q", words, err, want)
	}
}

func TestTargetsAndTheirAddressesAreFound(t *testing.T) {
	for _, extra := range []bool{true, false} {
		s := newDNSServer(t, site)
		s.set(func() { s.extra = extra })
		got, err := lookUp(t, s, nil)
		wantTargets(t, got, err, "dc1.corp.example 10.0.0.11 0", "dc2.corp.example 10.0.0.12 10")
		if got.ttl != 5*time.Minute || got.named != 2 || got.partial {
			t.Errorf("%+v", got)
		}
		want := []string{"udp SRV _gc._tcp.corp.example."}
		if !extra {
			want = append(want, "udp A dc1.corp.example.", "udp A dc2.corp.example.")
		}
		if asked := s.questions(); !slices.Equal(asked, want) {
			t.Errorf("asked %q, want %q", asked, want)
		}
	}
}

func TestSmallestTTLOnTheWayCounts(t *testing.T) {
	for ttls, want := range map[[3]uint32]time.Duration{
		{10, 20, 30}:                10 * time.Second,
		{20, 10, 30}:                10 * time.Second,
		{20, 30, 10}:                10 * time.Second,
		{20, 30, 1 << 31}:           0, // RFC 2181 8
		{1 << 30, 1 << 30, 1 << 30}: maxTTL,
	} {
		s := newDNSServer(t, fmt.Sprintf("%s. %d CNAME x.\nx. %d SRV 0 0 1 a.\na. %d A 10.0.0.1\n", srvName, ttls[0], ttls[1], ttls[2]))
		if got, err := lookUp(t, s, nil); err != nil || got.ttl != want {
			t.Errorf("%v: %v, %v", ttls, got.ttl, err)
		}
	}
}

func TestWhichAddressOfATargetIsTaken(t *testing.T) {
	for _, tc := range []struct{ name, zone, want string }{
		{"IPv4 before IPv6", "dc A 10.0.0.2\ndc AAAA fd00::1", "10.0.0.2"},
		{"IPv6 if there is nothing else", "dc AAAA fd00::1", "fd00::1"},
		{"the lowest, wherever it stands", "dc A 10.0.0.12\ndc A 10.0.0.3\ndc A 10.0.0.20", "10.0.0.3"},
		{"none of an interface without a network", "dc A 169.254.1.1\ndc A 10.0.0.2\ndc AAAA fe80::1", "10.0.0.2"},
		{"none that is no host's", "dc A 0.0.0.0\ndc A 255.255.255.255\ndc A 224.0.0.1\ndc AAAA ::\ndc AAAA fd00::1", "fd00::1"},
		{"IPv4 in the clothes of IPv6", "dc AAAA ::ffff:10.0.0.9", "10.0.0.9"},
		{"behind aliases", "dc CNAME b.\nb CNAME c.\nc A 10.0.0.4", "10.0.0.4"},
		{"no address", "dc TXT hello", ""},
		{"no such name", "", ""},
	} {
		for _, extra := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, extra %v", tc.name, extra), func(t *testing.T) {
				s := newDNSServer(t, "$TTL 60\n"+srvName+". SRV 0 0 389 dc.\n"+tc.zone)
				s.set(func() { s.extra = extra })
				got, err := lookUp(t, s, nil)
				if tc.want == "" {
					if err == nil {
						t.Errorf("%q", describe(got.list))
					}
					return
				}
				wantTargets(t, got, err, "dc "+tc.want+" 0")
			})
		}
	}
}

func TestWhichTargetsAreUsed(t *testing.T) {
	const addresses = "\na A 10.0.0.1\nb A 10.0.0.2\nc A 10.0.0.2\n"
	for _, tc := range []struct {
		name, zone string
		want       []string
	}{
		{"by name", "@ SRV 5 0 1 b.\n@ SRV 5 0 1 a.", []string{"a 10.0.0.1 5", "b 10.0.0.2 5"}},
		{"once with its lowest priority", "@ SRV 5 0 1 a.\n@ SRV 3 0 2 A.\n@ SRV 4 9 1 a.", []string{"a 10.0.0.1 3"}},
		{"one address once", "@ SRV 5 0 1 b.\n@ SRV 4 0 1 c.", []string{"c 10.0.0.2 4"}},
		{"not those without an address", "@ SRV 0 0 1 nobody.\n@ SRV 1 0 1 a.", []string{"a 10.0.0.1 1"}},
		{"not what is no host name", "@ SRV 0 0 1 .\n@ SRV 0 0 1 a\\032b.\n@ SRV 0 0 1 \\200.\n@ SRV 1 0 1 a.", []string{"a 10.0.0.1 1"}},
		{"behind an alias", "@ CNAME other.\nother SRV 1 0 1 a.", []string{"a 10.0.0.1 1"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newDNSServer(t, "$TTL 60\n"+addresses+strings.ReplaceAll("\n"+tc.zone, "\n@", "\n"+srvName+"."))
			got, err := lookUp(t, s, nil)
			wantTargets(t, got, err, tc.want...)
		})
	}
}

func TestAnswersThatDoNotFitUDPComeByTCP(t *testing.T) {
	zone := strings.Builder{}
	zone.WriteString("$TTL 60\n")
	for i := range 1000 {
		fmt.Fprintf(&zone, "%s. SRV %d 0 3268 dc%03d.corp.example.\ndc%03d.corp.example. A 10.0.%d.%d\n", srvName, 1000-i, i, i, i/250, i%250+1)
	}
	s := newDNSServer(t, zone.String())
	got, err := lookUp(t, s, nil)
	if err != nil || len(got.list) != maxTargets || got.named != 1000 {
		t.Fatalf("%d of %d, %v", len(got.list), got.named, err)
	}
	if first := got.list[0]; first.host != "dc936.corp.example" || first.priority != 64 {
		t.Errorf("%+v: not those of the lowest priority", first)
	}
	if asked := s.questions(); asked[1] != "tcp SRV "+srvName+"." || len(asked) != 2+maxTargets {
		t.Errorf("%d questions, %q", len(asked), asked[:2])
	}
}

func TestAnswersThatAreNone(t *testing.T) {
	other := func(m *dns.Msg) { m.Question[0].Name = "other." }
	alias := func(owner, target string) dns.RR {
		return &dns.CNAME{Hdr: dns.RR_Header{Name: owner, Rrtype: dns.TypeCNAME, Class: dns.ClassINET, Ttl: 60}, Target: target}
	}
	for _, tc := range []struct {
		name  string
		setup func(s *dnsServer)
		want  string
	}{
		{"no such name", func(s *dnsServer) { s.zone = nil }, errNoName.Error()},
		{"no records", func(s *dnsServer) { s.zone = []dns.RR{alias(srvName+".", "elsewhere.")} }, "the answer has no SRV records"},
		{"server failure", func(s *dnsServer) { s.rcode = dns.RcodeServerFailure }, "SERVFAIL"},
		{"refused", func(s *dnsServer) { s.rcode = dns.RcodeRefused }, "REFUSED"},
		{"a code without a name", func(s *dnsServer) { s.rcode = 14 }, "response code 14"},
		{"no answer at all", func(s *dnsServer) { s.spoil = func(_ string, m *dns.Msg) { m.Response = false } }, errAnswer.Error()},
		{"another question", func(s *dnsServer) { s.spoil = func(_ string, m *dns.Msg) { other(m) } }, errAnswer.Error()},
		{"a question of another class", func(s *dnsServer) { s.spoil = func(_ string, m *dns.Msg) { m.Question[0].Qclass = dns.ClassCHAOS } }, errAnswer.Error()},
		{"a question of another type", func(s *dnsServer) { s.spoil = func(_ string, m *dns.Msg) { m.Question[0].Qtype = dns.TypeA } }, errAnswer.Error()},
		{"no question", func(s *dnsServer) { s.spoil = func(_ string, m *dns.Msg) { m.Question = nil } }, errAnswer.Error()},
		{"truncated by TCP as well", func(s *dnsServer) { s.spoil = func(_ string, m *dns.Msg) { m.Truncated = true } }, errAnswer.Error()},
		{"another question by TCP", func(s *dnsServer) {
			s.spoil = func(network string, m *dns.Msg) {
				if m.Truncated = network == "udp"; !m.Truncated {
					other(m)
				}
			}
		}, errAnswer.Error()},
		{"garbage", func(s *dnsServer) { s.raw = func(string) []byte { return []byte("HTTP/1.1 400 Bad Request") } }, "dns:"},
		{"next to nothing", func(s *dnsServer) { s.raw = func(string) []byte { return []byte{1} } }, "dns:"},
		{"records of others", func(s *dnsServer) {
			s.spoil = func(_ string, m *dns.Msg) {
				for _, rr := range m.Answer {
					rr.Header().Name = "other."
				}
			}
		}, "the answer has no SRV records"},
		{"records of another class", func(s *dnsServer) {
			s.spoil = func(_ string, m *dns.Msg) {
				for _, rr := range m.Answer {
					rr.Header().Class = dns.ClassCHAOS
				}
			}
		}, "the answer has no SRV records"},
		{"aliases in a circle", func(s *dnsServer) {
			s.spoil = func(_ string, m *dns.Msg) {
				m.Answer = []dns.RR{alias(srvName+".", "b."), alias("b.", srvName+".")}
			}
		}, "the answer has no SRV records"},
		{"targets without addresses", func(s *dnsServer) { s.zone = s.zone[:2] }, "none of 2 targets has an address"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newDNSServer(t, site)
			s.set(func() { tc.setup(s) })
			got, err := lookUp(t, s, nil)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%q, %v, want %q", describe(got.list), err, tc.want)
			}
		})
	}
}

// An address that cannot be asked for is the one of before; one that was never
// known leaves its host out, for now.
func TestAddressThatCannotBeAskedForIsKept(t *testing.T) {
	s := newDNSServer(t, site)
	s.set(func() {
		s.spoil = func(_ string, m *dns.Msg) {
			if m.Question[0].Qtype != dns.TypeSRV {
				m.Rcode = dns.RcodeServerFailure
			}
		}
	})
	got, err := lookUp(t, s, map[string]netip.Addr{"dc2.corp.example": netip.MustParseAddr("10.9.9.9")})
	wantTargets(t, got, err, "dc2.corp.example 10.9.9.9 10")
	if !got.partial {
		t.Error("taken for complete")
	}
}

func TestNextServerIsAskedWhenOneFails(t *testing.T) {
	broken, fine := newDNSServer(t, site), newDNSServer(t, site)
	broken.set(func() { broken.rcode = dns.RcodeServerFailure })
	nobody := closedport.New(t)
	got, err := asking(nobody, broken.addr, fine.addr).lookup(context.Background(), srvName, nil)
	wantTargets(t, got, err, "dc1.corp.example 10.0.0.11 0", "dc2.corp.example 10.0.0.12 10")

	broken.questions()
	if _, err := asking(nobody, broken.addr).lookup(context.Background(), srvName, nil); err == nil {
		t.Error("no error")
	}
	if n := len(broken.questions()); n != queryRounds {
		t.Errorf("asked %d times", n)
	}
}

func TestSilentServerIsNotWaitedForLong(t *testing.T) {
	s := newDNSServer(t, site)
	s.set(func() { s.silent = true })
	r := asking(s.addr)
	r.timeout = 10 * time.Millisecond
	if _, err := r.lookup(context.Background(), srvName, nil); err == nil {
		t.Error("no error")
	}
	if n := len(s.questions()); n != queryRounds {
		t.Errorf("asked %d times", n)
	}
	r.timeout = time.Hour
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(10*time.Millisecond, cancel)
	ended := make(chan error, 1)
	go func() {
		_, err := r.lookup(ctx, srvName, nil)
		ended <- err
	}()
	select {
	case err := <-ended:
		if err == nil {
			t.Error("no error")
		}
	case <-time.After(waitTimeout): // less than lookupTimeout
		t.Error("still waiting")
	}
	if n := len(s.questions()); n != 1 {
		t.Errorf("asked %d times, though nobody waits any more", n)
	}
}

func TestServersOfTheSystem(t *testing.T) {
	conf := filepath.Join(t.TempDir(), "resolv.conf")
	for text, want := range map[string][]string{
		"search corp.example\nnameserver 10.0.0.53\nnameserver fe80::1%eth0\n#nameserver 9.9.9.9\n": {"10.0.0.53:53", "[fe80::1%eth0]:53"},
		"nameserver dns.example\nnameserver ::1":                                                    {"[::1]:53"},
		strings.Repeat("nameserver 10.0.0.1\n", 9):                                                  slices.Repeat([]string{"10.0.0.1:53"}, maxServers),
		"nameserver\n": nil,
		"":             nil,
	} {
		if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := newResolver(netip.AddrPort{}, conf).servers()
		if !slices.Equal(got, want) || (err != nil) != (want == nil) {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
	if _, err := newResolver(netip.AddrPort{}, conf+"x").lookup(context.Background(), srvName, nil); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	if got, _ := newResolver(netip.MustParseAddrPort("10.0.0.1:5353"), conf).servers(); !slices.Equal(got, []string{"10.0.0.1:5353"}) {
		t.Error(got)
	}
}
