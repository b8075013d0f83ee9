package report

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/nspiproxy/nspiproxy/policy"
	"github.com/nspiproxy/nspiproxy/proxy/inspect"
)

// With transparent listeners clients choose where they connect to, and a server
// there may answer at as many addresses as it likes.
func TestLabelsAreBoundedWhateverAddressesClientsConnectTo(t *testing.T) {
	m := newMetrics(nil)
	d := policy.Rule{Name: "default"}.Decision(0, false)
	for a, n := netip.MustParseAddr("fd00:5::1"), 0; n < 3*maxBackendLabels; a, n = a.Next(), n+1 {
		m.count(inspect.LimitExceeded{Source: inspect.Source{Backend: a.String()}, Decision: d, Answer: inspect.AnswerLogonFailed})
	}
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if strings.HasPrefix(f.GetName(), "nspiproxy_") && len(f.GetMetric()) > maxBackendLabels+1 {
			t.Errorf("%s has %d series", f.GetName(), len(f.GetMetric()))
		}
	}
	if n := testutil.ToFloat64(m.binds.WithLabelValues(otherBackends, resultRefused)); n != 2*maxBackendLabels {
		t.Errorf("%v binds at other backends", n)
	}
}
