package proxy

import (
	"net/netip"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/nspiproxy/nspiproxy/proxy/backend"
	"github.com/nspiproxy/nspiproxy/session"
)

// A domain controller that has got another address in DNS may be known twice for
// some time: under the new one, and under the old one while clients go there.
func TestDomainControllersOfOneNameDoNotSpoilTheMetrics(t *testing.T) {
	set := backend.New(backend.Options{Backends: []backend.Backend{
		{Name: "site/dc1", Address: netip.MustParseAddr("10.0.0.1")},
		{Name: "site/dc1", Address: netip.MustParseAddr("10.0.0.2")},
	}})
	table := session.NewTable(session.Options{Now: time.Now})
	registry := prometheus.NewRegistry()
	registry.MustRegister(controllerCollector{server: &Server{controllers: set, table: table}})
	if n, err := testutil.GatherAndCount(registry, "nspiproxy_backend_sessions"); err != nil || n != 1 {
		t.Errorf("%d sums of sessions, %v", n, err)
	}
}
