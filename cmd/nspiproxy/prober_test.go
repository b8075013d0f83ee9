package main

import (
	"context"
	"net/netip"
	"strings"
	"testing"

	"github.com/nspiproxy/nspiproxy/policy"
	"github.com/nspiproxy/nspiproxy/proxy/backend"
	"github.com/nspiproxy/nspiproxy/proxy/inspect"
	"github.com/nspiproxy/nspiproxy/proxy/probe"
)

func healthConfig() *policy.Config {
	c := policy.Defaults()
	c.Backends = []policy.Backend{
		{Name: "dc1", Address: netip.MustParseAddr("10.0.0.1"), Host: "dc1.corp.example"},
		{Name: "site", SRV: "_gc._tcp.corp.example"},
	}
	c.Health.Auth, c.Health.User, c.Health.Keytab = policy.AuthKerberos, "monitor@CORP.EXAMPLE", "/etc/nspiproxy/monitor.keytab"
	return &c
}

func TestTicketOfACheckIsForTheNameOfItsDomainController(t *testing.T) {
	for name, want := range map[string]string{"dc1": "exchangeAB/dc1.corp.example", "site/dc2.corp.example": "exchangeAB/dc2.corp.example", "10.0.0.9": ""} {
		p := nspiProber{config: healthConfig()}
		// Name is an address at the further addresses of a domain controller.
		got := p.target(backend.Target{Name: "10.0.0.1", ServerName: name, Addr: netip.MustParseAddr("10.0.0.1"), EPMPort: 135})
		if got.SPN != want || got.User != "monitor@CORP.EXAMPLE" || got.Level != probe.LevelPrivacy {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestAnonymousCheckHasNoCredentials(t *testing.T) {
	config := healthConfig()
	config.Health.Auth = policy.AuthNone
	p := nspiProber{config: config}
	got := p.target(backend.Target{Name: "dc1", Addr: netip.MustParseAddr("10.0.0.1")})
	if got.User+got.Keytab+got.SPN != "" {
		t.Errorf("%+v", got)
	}
}

// failures are the checks that say nothing of a domain controller.
type failures []inspect.CheckFailed

func (f *failures) Report(e inspect.Event) { *f = append(*f, e.(inspect.CheckFailed)) }
func (*failures) Verbose() bool            { return false }

// answering makes a prober whose checks have these results, one after the other.
func answering(log *failures, results ...probe.Result) *nspiProber {
	return newNSPIProber(healthConfig(), log, func(context.Context, probe.Target) probe.Result {
		r := results[0]
		results = results[1:]
		return r
	})
}

// A password that has expired is no reason to take every domain controller out
// of service.
func TestCheckThatCannotBeMadeTakesNobodyOutOfService(t *testing.T) {
	var log failures
	p := answering(&log, probe.Result{NotProbed: true, Err: "no such file"}, probe.Result{NotProbed: true, Err: "no such file"}, probe.Result{Reachable: true})
	for range 2 {
		if r := p.probe(t.Context(), backend.Target{Name: "dc1"}); !r.Serving || !r.Reachable {
			t.Errorf("%+v", r)
		}
	}
	if len(log) != 1 || log[0].Stack != "" {
		t.Errorf("reported: %v", log)
	}
	if r := p.probe(t.Context(), backend.Target{Name: "dc1"}); r.Serving {
		t.Errorf("one that does not serve: %+v", r)
	}
}

// One domain controller may have no ticket, while others have one, for ever.
func TestCheckThatCannotBeMadeIsReportedOnceBesideOthersThatCan(t *testing.T) {
	var log failures
	lacking, good := probe.Result{NotProbed: true, Err: "no ticket"}, probe.Result{Reachable: true, Serving: true}
	p := answering(&log, lacking, good, lacking, good, lacking)
	for n := range 5 {
		p.probe(t.Context(), backend.Target{Name: []string{"dc1", "dc2"}[n%2]})
	}
	if len(log) != 1 || log[0].DC != "dc1" {
		t.Errorf("reported: %v", log)
	}
}

func TestCheckThatIsToldToStopLacksNothing(t *testing.T) {
	var log failures
	ctx, stop := context.WithCancel(t.Context())
	stop()
	answering(&log, probe.Result{NotProbed: true, Err: "not started: context canceled"}).probe(ctx, backend.Target{Name: "dc1"})
	if len(log) > 0 {
		t.Errorf("reported: %v", log)
	}
}

func TestProberIsTheOneThatIsConfigured(t *testing.T) {
	for check, want := range map[policy.HealthCheck]bool{policy.CheckNone: false, policy.CheckEPM: true, policy.CheckNSPI: true} {
		config := healthConfig()
		config.Health.Check = check
		if p := newProber(config)(new(failures)); (p != nil) != want {
			t.Errorf("%s: %v", check, p != nil)
		}
	}
}

func TestPanicInACheckFailsItAndNothingElse(t *testing.T) {
	var log failures
	check := recovered(func(context.Context, backend.Target) backend.Result {
		var none []byte
		return backend.Result{Reachable: none[4] == 0}
	}, &log)
	r := check(t.Context(), backend.Target{Name: "dc1"})
	if r.Reachable || r.Serving || r.Err == "" {
		t.Errorf("%+v", r)
	}
	if len(log) != 1 || log[0].DC != "dc1" || !strings.Contains(log[0].Reason, "index out of range") || !strings.Contains(log[0].Stack, "prober_test.go") {
		t.Errorf("reported: %v", log)
	}
}
