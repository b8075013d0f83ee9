package backend

import (
	"strings"
	"testing"

	"github.com/miekg/dns"
)

func TestHostNamesAreOrdinaryOnes(t *testing.T) {
	long := strings.Repeat("a", 63)
	for in, want := range map[string]string{
		"DC1.corp.example.": "dc1.corp.example", "dc_1-x": "dc_1-x", "7": "7",
		long + "." + long + "." + long + "." + long[:61] + ".": long + "." + long + "." + long + "." + long[:61],
	} {
		if got, ok := hostName(in); got != want || !ok {
			t.Errorf("%q: %q, %v", in, got, ok)
		}
	}
	for _, in := range []string{
		"", ".", "..", ".a", "a..b", "a b", "a\nb", `a\032b`, "dc/1", "dc:1", "ä", "a\x00", "a.b..",
		long + "a", long + "." + long + "." + long + "." + long[:62],
	} {
		if got, ok := hostName(in); ok {
			t.Errorf("%q is taken for %q", in, got)
		}
	}
}

// FuzzDNSAnswer: whatever is in a message, what comes out of it are host names
// and addresses as they should be, within the limits.
func FuzzDNSAnswer(f *testing.F) {
	for _, zone := range []string{site, site + "dc1.corp.example. 0 IN CNAME dc2.corp.example.\n"} {
		m := new(dns.Msg).SetQuestion(srvName+".", dns.TypeSRV)
		parser := dns.NewZoneParser(strings.NewReader(zone), ".", "")
		for rr, ok := parser.Next(); ok; rr, ok = parser.Next() {
			m.Answer = append(m.Answer, rr)
		}
		b, err := m.Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var m dns.Msg
		if m.Unpack(b) != nil || len(m.Question) == 0 {
			return
		}
		records := answersOf[*dns.SRV](m.Answer, m.Question[0].Name)
		list := candidates(records.list)
		if len(list) > maxTargets || records.ttl < 0 || records.ttl > maxTTL {
			t.Fatalf("%d targets for %v", len(list), records.ttl)
		}
		for _, c := range list {
			if host, ok := hostName(c.host); !ok || host != c.host {
				t.Fatalf("target %q", c.host)
			}
			for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA} {
				if addr, ttl := lowest(m.Answer, dns.Fqdn(c.host), qtype); addr.IsValid() && !usable(addr) || ttl < 0 {
					t.Fatalf("address %v for %v", addr, ttl)
				}
			}
		}
	})
}
