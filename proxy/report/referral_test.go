package report

import (
	"fmt"
	"strings"
	"testing"

	"github.com/nspiproxy/nspiproxy/proxy/inspect"
	"github.com/nspiproxy/nspiproxy/rpcparse"
)

func (l *logbook) refer(server, backend string) {
	l.write(elsewhere(backend, server))
}

func TestServersThatClientsAreReferredToAreWrittenOnce(t *testing.T) {
	l := newLogbook()
	for range 3 {
		l.refer("gc1.lab.example", "dc1")
		l.refer("gc2.lab.example", "dc1")
		l.refer("gc1.lab.example", "dc2")
	}
	if n := len(l.records(t)); n != 3 {
		t.Errorf("%d records, want one for each name and backend", n)
	}
}

func TestServerThatInventsNamesFillsNothingButTheListOfNames(t *testing.T) {
	l := newLogbook()
	for n := range 3 * maxReferralNames {
		l.refer(fmt.Sprintf("gc%d.lab.example", n), "dc1")
	}
	if n := len(l.records(t)); n != namesOfBackend {
		t.Errorf("%d records", n)
	}
	l.note("key.stale", "dc1", "x")
	if records := l.records(t); records[len(records)-1]["event"] != "key.stale" {
		t.Error("nothing else is written any more")
	}
}

func TestNamesOfServersAreEscapedAndCut(t *testing.T) {
	for name, server := range map[string]string{
		"line feed": "gc1\nlevel=error", "escape": "\x1b[31mred", "quote": `"}{"`, "not UTF-8": "\xff\xfe", "long": strings.Repeat("x", 4096),
	} {
		l := newLogbook()
		l.refer(server, "dc1")
		if n := strings.Count(l.out.String(), "\n"); n != 1 || strings.ContainsAny(l.out.String(), "\x1b\x00") || l.out.Len() > 1000 {
			t.Errorf("%s: %q", name, l.out.String())
		}
		l.records(t)
	}
}

// An answer that cannot be read is a finding that names the mistake.
func TestMalformedReferralIsWrittenWithItsMistake(t *testing.T) {
	l := newLogbook()
	for range 3 {
		l.write(inspect.Referral{Source: inspect.Source{Backend: "dc1"}, Result: inspect.ReferralMalformed,
			Err: rpcparse.Errorf(rpcparse.ClassInvalid, "stub_length", 24, "made for this test")})
	}
	all := l.records(t)
	if len(all) != 1 || all[0]["event"] != "referral.malformed" || !strings.Contains(all[0]["message"].(string), "invalid stub_length") {
		t.Errorf("%v", all)
	}
}
