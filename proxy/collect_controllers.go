package proxy

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/nspiproxy/nspiproxy/proxy/backend"
)

// controllerCollector turns the states of domain controllers into metrics when
// they are asked for. Their names are those of the configuration, of DNS, or
// addresses in the configured destinations; how many are looked after is
// bounded.
type controllerCollector struct{ server *Server }

var (
	descState             = desc("backend_state", "1 for the state that a domain controller is in.", "backend", "dc", "state")
	descSessions          = desc("backend_sessions", "NSPI sessions held on a domain controller.", "backend", "dc")
	descConnections       = desc("backend_connections", "Connections to a domain controller.", "backend", "dc")
	descUnansweredClients = desc("backend_unanswered_client_networks", "Networks whose clients get no answer under their own addresses, while this machine does.", "backend", "dc")
	descCheck             = desc("backend_check_seconds", "How long the latest active check of a domain controller took.", "backend", "dc")
)

// Describe implements prometheus.Collector.
func (c controllerCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descState, descSessions, descConnections, descUnansweredClients, descCheck} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c controllerCollector) Collect(ch chan<- prometheus.Metric) {
	shown := make(map[[2]string]bool)
	for _, dc := range c.server.controllers.All() {
		// One that has got another address in DNS is there twice while clients go
		// to the old one: the first is the one that DNS names, and sessions are
		// counted by name anyway.
		id := [2]string{dc.BackendName(), dc.Name}
		if shown[id] {
			continue
		}
		shown[id] = true
		gauge := func(d *prometheus.Desc, v float64, labels ...string) {
			labels = append(id[:], labels...)
			ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
		}
		now := dc.State()
		for _, state := range []backend.State{backend.Serving, backend.NotServing, backend.Unreachable} {
			is := 0.0
			if state == now {
				is = 1
			}
			gauge(descState, is, state.String())
		}
		load := c.server.table.Load(dc.Name)
		gauge(descSessions, float64(load.Sessions))
		gauge(descConnections, float64(load.Connections))
		gauge(descUnansweredClients, float64(dc.UnansweredNetworks()))
		if r, ok := dc.LastProbe(); ok {
			gauge(descCheck, r.Duration.Seconds())
		}
	}
}
