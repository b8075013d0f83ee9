package proxy

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/nspiproxy/nspiproxy/policy"
	"github.com/nspiproxy/nspiproxy/proxy/relay"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx"
	"github.com/nspiproxy/nspiproxy/session"
)

// metrics are the counters of a [Server]. No label holds a user, a client or
// any other text from the network: their number is bounded by the configuration,
// and that of domain controllers by maxBackendLabels.
type metrics struct {
	registry     *prometheus.Registry
	backends     backendLabels
	binds        *prometheus.CounterVec
	unbinds      *prometheus.CounterVec
	refusals     *prometheus.CounterVec
	errors       *prometheus.CounterVec
	irregular    *prometheus.CounterVec
	associations *prometheus.CounterVec
	endpoints    *prometheus.CounterVec
	referrals    *prometheus.CounterVec
	lost         prometheus.Counter
	contexts     *prometheus.CounterVec
	badSignature prometheus.Counter
	unreachable  prometheus.Counter
	uncovered    prometheus.Counter
}

// Results of an NspiBind and an NspiUnbind, as label values.
const (
	resultGranted   = "granted"
	resultFailed    = "failed"    // the domain controller's method returned an error
	resultFaulted   = "faulted"   // the domain controller's runtime answered with a fault
	resultAnonymous = "anonymous" // MAPI_E_LOGON_FAILED without authentication: a client's normal first step
	resultRefused   = "refused"   // answered by the proxy
)

func newMetrics() *metrics {
	vec := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "nspiproxy", Name: name, Help: help}, labels)
	}
	single := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Namespace: "nspiproxy", Name: name, Help: help})
	}
	m := &metrics{
		registry:     prometheus.NewRegistry(),
		binds:        vec("nspi_binds_total", "NspiBind calls by what became of them.", "backend", "result"),
		unbinds:      vec("nspi_unbinds_total", "NspiUnbind calls by what became of them.", "backend", "result"),
		refusals:     vec("refusals_total", "NspiBind calls at or over the limit, by rule; with dry_run they were forwarded.", "backend", "rule", "dry_run"),
		errors:       vec("protocol_errors_total", "Connections closed because a PDU broke the rules of the protocol.", "class"),
		irregular:    vec("irregular_pdus_total", "PDUs of clients that break a rule and were left to the domain controller's judgement.", "class"),
		associations: vec("association_refusals_total", "Binds that named an association in which the client has no part.", "reason"),
		endpoints:    vec("endpoint_answers_unchanged_total", "Endpoint mapper answers or towers that could not be rewritten.", "reason"),
		referrals:    vec("referrals_total", "Answers that refer a client to a server, by what became of them.", "result"),
		contexts:     vec("security_contexts_total", "Security contexts by how far their handshake could be followed with the keys at hand.", "result"),
		badSignature: single("unverified_pdus_total", "PDUs that did not verify and were left to the receiver's judgement."),
		unreachable:  single("unreachable_refusals_total", "Connections reset at once because their domain controller is unreachable."),
		uncovered:    single("intercept_failures_total", "Ports of NSPI that could not be intercepted when they were learnt."),
		lost:         single("log_records_lost_total", "Log records dropped because the log did not take them in time."),
	}
	m.registry.MustRegister(m.binds, m.unbinds, m.refusals, m.errors, m.irregular, m.associations, m.endpoints, m.referrals, m.lost, m.contexts,
		m.badSignature, m.unreachable, m.uncovered,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *metrics) bindAnswered(backend string, e *rpcparse.Event) {
	m.binds.WithLabelValues(m.backends.label(backend), bindResult(e)).Inc()
}

func bindResult(e *rpcparse.Event) string {
	switch {
	case e.Granted:
		return resultGranted
	case e.Fault != 0:
		return resultFaulted
	case !e.Security.HasUser() && (e.Security == nil || e.Security.Anonymous):
		return resultAnonymous
	}
	return resultFailed
}

func (m *metrics) unbindAnswered(backend string, e *rpcparse.Event) {
	result := resultFailed
	switch {
	case e.Granted:
		result = resultGranted
	case e.Fault != 0:
		result = resultFaulted
	}
	m.unbinds.WithLabelValues(m.backends.label(backend), result).Inc()
}

func (m *metrics) refused(backend string, d policy.Decision) {
	m.binds.WithLabelValues(m.backends.label(backend), resultRefused).Inc()
	m.overLimit(backend, d)
}

func (m *metrics) overLimit(backend string, d policy.Decision) {
	dryRun := "false"
	if d.DryRun {
		dryRun = "true"
	}
	m.refusals.WithLabelValues(m.backends.label(backend), d.Rule, dryRun).Inc()
}

func (m *metrics) failed(err error) { m.errors.WithLabelValues(classOf(err)).Inc() }

func (m *metrics) left(err error) { m.irregular.WithLabelValues(classOf(err)).Inc() }

func (m *metrics) unverified() { m.badSignature.Inc() }

func (m *metrics) followed(r secctx.Result) { m.contexts.WithLabelValues(r.String()).Inc() }

// classOf returns the class of a wire error as a label.
func classOf(err error) string {
	if c := rpcparse.ClassOf(err); c != 0 {
		return c.String()
	}
	return "other"
}

func (m *metrics) associationRefused(why error) {
	reason := "unknown"
	switch {
	case errors.Is(why, session.ErrForeignAssociation):
		reason = "foreign"
	case errors.Is(why, session.ErrUnanswered):
		reason = "unanswered"
	}
	m.associations.WithLabelValues(reason).Inc()
}

func (m *metrics) endpointNoted(n endpointNote) { m.endpoints.WithLabelValues(n.String()).Inc() }

func (m *metrics) referred(result string) { m.referrals.WithLabelValues(result).Inc() }

// relayCollector turns the counters of the loops and of the session table into
// metrics when they are asked for.
type relayCollector struct {
	group *relay.Group
	table *session.Table
}

var (
	descAccepted     = desc("connections_total", "Connections accepted.")
	descActive       = desc("connections", "Connections open.")
	descRefused      = desc("connections_refused_total", "Connections reset at once, over the cap.")
	descAccept       = desc("accept_errors_total", "Failures to accept a connection.")
	descPDUs         = desc("pdus_total", "Whole PDUs received, by the side that sent them.", "from")
	descBytes        = desc("bytes_total", "Bytes received, by the side that sent them.", "from")
	descInjected     = desc("pdus_injected_total", "PDUs of the proxy's own, by the side they were sent to.", "to")
	descClosed       = desc("connections_closed_total", "Connections ended, by cause.", "cause")
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
