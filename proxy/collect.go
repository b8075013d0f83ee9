package proxy

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/nspiproxy/nspiproxy/proxy/relay"
	"github.com/nspiproxy/nspiproxy/session"
)

// relayCollector turns the counters of the loops and of the session table into
// metrics when they are asked for.
type relayCollector struct {
	group *relay.Group
	table *session.Table
	// passing is the number of connections that pass by.
	passing func() int
	// intercepting reports whether connections of clients are led to transparent
	// listeners, and whether there are any.
	intercepting func() (is, needed bool)
}

var (
	descAccepted     = desc("connections_total", "Connections accepted.")
	descActive       = desc("connections", "Connections open.")
	descDirect       = desc("direct_connections", "Connections that pass by the proxy, because they were made while it did not run.")
	descRefused      = desc("connections_refused_total", "Connections reset at once, over the cap.")
	descAccept       = desc("accept_errors_total", "Connections that could not be accepted or led on: no descriptors, no memory.")
	descPDUs         = desc("pdus_total", "Whole PDUs received, by the side that sent them.", "from")
	descBytes        = desc("bytes_total", "Bytes received, by the side that sent them.", "from")
	descInjected     = desc("pdus_injected_total", "PDUs of the proxy's own, by the side they were sent to.", "to")
	descClosed       = desc("connections_closed_total", "Connections ended, by cause.", "cause")
	descCrowded      = desc("connections_refused_share_total", "Clients reset because their network has its share of the connections.")
	descKept         = desc("kept_bytes", "Bytes kept of what peers have sent, over all connections.")
	descIntercepting = desc("intercepting", "1 while the kernel leads connections of clients to the transparent listeners as configured, 0 while it does not.")
	descAssociations = desc("associations", "Associations with at least one connection.")
	descHeld         = desc("sessions_held", "NSPI sessions that a domain controller has granted and not ended.")
	descOpaque       = desc("sessions_opaque", "Of nspiproxy_sessions_held, those whose context handle is not known.")
	descUnanswered   = desc("sessions_unanswered", "Of nspiproxy_sessions_opaque, those whose connection was lost before the domain controller's answer, so that it may not have them.")
	descWaiting      = desc("binds_waiting", "NspiBind calls that wait until claims of the same name are answered.")
	descOpened       = desc("sessions_opened_total", "NSPI sessions granted by a domain controller.")
	descEnded        = desc("sessions_ended_total", "NSPI sessions ended, by cause; drift is a correction by what the domain controller said.", "cause")
	descReserved     = desc("sessions_reserved", "NspiBind calls that wait for the domain controller's answer.")
)

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("nspiproxy_"+name, help, labels, nil)
}

// Describe implements prometheus.Collector.
func (c relayCollector) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(c, ch) }

// Collect implements prometheus.Collector.
func (c relayCollector) Collect(ch chan<- prometheus.Metric) {
	counter := func(d *prometheus.Desc, v uint64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	gauge := func(d *prometheus.Desc, v int) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(v))
	}
	s := c.group.Stats()
	counter(descAccepted, s.Accepted)
	gauge(descActive, int(s.Active))
	counter(descCrowded, s.Crowded)
	gauge(descKept, int(s.Kept))
	gauge(descDirect, c.passing())
	if is, needed := c.intercepting(); is {
		gauge(descIntercepting, 1)
	} else if needed {
		gauge(descIntercepting, 0)
	}
	counter(descRefused, s.Refused)
	counter(descAccept, s.AcceptErrors)
	for _, side := range []struct {
		name string
		flow relay.Flow
	}{{"client", s.Client}, {"server", s.Server}} {
		counter(descPDUs, side.flow.PDUs, side.name)
		counter(descBytes, side.flow.Bytes, side.name)
		counter(descInjected, side.flow.Injected, side.name)
	}
	for cause, n := range s.Closed {
		counter(descClosed, n, relay.Cause(cause).String())
	}
	n := c.table.Count()
	gauge(descHeld, n.Sessions)
	gauge(descOpaque, n.Opaque)
	gauge(descUnanswered, n.Unanswered)
	gauge(descReserved, n.Reserved+n.Provisional)
	gauge(descWaiting, n.Waiting)
	gauge(descAssociations, n.Associations)
	counter(descOpened, n.Binds)
	counter(descEnded, n.Unbinds, "unbind")
	counter(descEnded, n.RunDown, "rundown")
	counter(descEnded, n.LostByServer, "drift")
}
