package proxy

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/rs/zerolog"

	"github.com/nspiproxy/nspiproxy/policy"
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
	s.metrics.refused("dc1", policy.Rule{Name: "default", Limit: 50}.Decide(50))
	s.metrics.bindAnswered("dc1", &rpcparse.Event{Granted: true})
	s.metrics.unbindAnswered("dc1", &rpcparse.Event{Granted: true})
	s.metrics.failed(rpcparse.Errorf(rpcparse.ClassState, "x", 0, "y"))
	s.metrics.endpointNoted(noteMalformed)
	s.metrics.referred(referralRewritten)
	s.metrics.associationRefused(session.ErrForeignAssociation)
	problems, err := testutil.GatherAndLint(s.metrics.registry)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}
