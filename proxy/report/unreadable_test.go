package report

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/nspiproxy/nspiproxy/proxy/inspect"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx"
)

func TestUnreadableUsersAreWrittenOnceAndSummed(t *testing.T) {
	r := newLogbook()
	out := &r.out
	for n := range 1000 {
		reason := secctx.NoPAC
		if n%2 == 1 {
			reason = secctx.Malformed
		}
		r.write(inspect.IdentityUnreadable{
			Source:    inspect.Source{Backend: "dc1", Client: netip.MustParseAddrPort("10.1.2.3:50000")},
			Mechanism: rpcparse.MechanismKerberos, Why: secctx.Outcome{Result: reason, Detail: "evil\n\x1b[31m" + strings.Repeat("x", 1000)},
		})
	}
	if n := strings.Count(out.String(), "\n"); n != 2 {
		t.Fatalf("%d records: %s", n, out.String())
	}
	for _, want := range []string{`"event":"identity.unreadable"`, `"reason":"no_pac"`, `"reason":"malformed"`, `"client":"10.1.2.3:50000"`, `"mechanism":"kerberos"`, `"level":"warn"`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %s in %s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "\x1b") || out.Len() > 2000 {
		t.Errorf("text from the network: %q", out.String())
	}
	out.Reset()
	r.time = r.time.Add(sumWindow)
	r.flush(false)
	if s := out.String(); strings.Count(s, "\n") != 2 || !strings.Contains(s, `"repeated":499`) {
		t.Errorf("the sum: %s", s)
	}
}

func TestReasonsOfUnreadableUsersAreKnownBeforeTheyOccur(t *testing.T) {
	m := newMetrics(nil)
	m.count(inspect.IdentityUnreadable{Why: secctx.Outcome{Result: secctx.WrongVersion}})
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != "nspiproxy_unreadable_identities_total" {
			continue
		}
		if len(f.GetMetric()) != len(secctx.Unreadable) {
			t.Errorf("%d reasons, want %d", len(f.GetMetric()), len(secctx.Unreadable))
		}
		for _, one := range f.GetMetric() {
			want := 0.0
			if one.GetLabel()[0].GetValue() == "wrong_kvno" {
				want = 1
			}
			if one.GetCounter().GetValue() != want {
				t.Errorf("%v", one)
			}
		}
		return
	}
	t.Error("no such metric")
}
