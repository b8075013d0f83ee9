package proxy

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/rs/zerolog"

	"github.com/nspiproxy/nspiproxy/policy"
	"github.com/nspiproxy/nspiproxy/proxy/inspect"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/session"
)

func TestMetricsFollowTheConventions(t *testing.T) {
	config := policy.Defaults()
	s, err := New(&config, Options{Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.group.Shutdown(expired()) //nolint:errcheck // nothing was opened
	from := inspect.Source{Backend: "dc1"}
	for _, e := range []inspect.Event{
		inspect.LimitExceeded{Source: from, Decision: policy.Rule{Name: "default", Limit: 50}.Decision(50, false), Answer: inspect.AnswerFault},
		inspect.BindAnswered{Source: from, Result: inspect.ResultGranted},
		inspect.UnbindAnswered{Source: from, Result: inspect.ResultGranted},
		inspect.Violation{Source: from, Err: rpcparse.Errorf(rpcparse.ClassState, "x", 0, "y")},
		inspect.EndpointsUnchanged{Source: from, Reason: inspect.EndpointsMalformed},
		inspect.Referral{Source: from, Result: inspect.ReferralRewritten},
		inspect.AssociationRefused{Source: from, Err: session.ErrForeignAssociation},
	} {
		s.reporter.Report(e)
	}
	problems, err := testutil.GatherAndLint(s.reporter.Registry())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}
