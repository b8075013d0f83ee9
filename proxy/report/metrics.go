package report

import (
	"errors"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/nspiproxy/nspiproxy/proxy/inspect"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx"
	"github.com/nspiproxy/nspiproxy/session"
)

// metrics are the counters of a [Reporter]. No label holds a user, a client or
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
	contexts     *prometheus.CounterVec
	unreadable   *prometheus.CounterVec
	badSignature prometheus.Counter
	unreachable  prometheus.Counter
	uncovered    prometheus.Counter
	repairs      prometheus.Counter
}

// resultRefused is the result of an NspiBind that the proxy has answered.
const resultRefused = "refused"

func newMetrics(lost func() uint64) *metrics {
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
		unreadable:   vec("unreadable_identities_total", "Security contexts with an NspiBind whose user could not be read, by reason.", "reason"),
		badSignature: single("unverified_pdus_total", "PDUs that did not verify and were left to the receiver's judgement."),
		unreachable:  single("unreachable_refusals_total", "Connections reset at once because their domain controller has vanished."),
		uncovered:    single("intercept_failures_total", "Ports of NSPI that could not be intercepted when they were learnt."),
		repairs:      single("intercept_repairs_total", "How often rules or routes that others had changed were put in force again."),
	}
	m.registry.MustRegister(m.binds, m.unbinds, m.refusals, m.errors, m.irregular, m.associations, m.endpoints, m.referrals, m.contexts, m.unreadable,
		m.badSignature, m.unreachable, m.uncovered, m.repairs,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Namespace: "nspiproxy", Name: "log_records_lost_total", Help: "Log records that the log did not take.",
	}, func() float64 {
		if lost == nil {
			return 0
		}
		return float64(lost())
	}))
	for _, reason := range secctx.Unreadable {
		m.unreadable.WithLabelValues(reason.String())
	}
	return m
}

// count counts an event.
func (m *metrics) count(e inspect.Event) {
	switch e := e.(type) {
	case inspect.BindAnswered:
		m.binds.WithLabelValues(m.backends.label(e.Backend), string(e.Result)).Inc()
	case inspect.UnbindAnswered:
		m.unbinds.WithLabelValues(m.backends.label(e.Backend), string(e.Result)).Inc()
	case inspect.LimitExceeded:
		m.limitExceeded(e)
	case inspect.Violation:
		m.errors.WithLabelValues(classOf(e.Err)).Inc()
	case inspect.Irregular:
		m.irregular.WithLabelValues(classOf(e.Err)).Inc()
	case inspect.AssociationRefused:
		m.associations.WithLabelValues(associationReason(e.Err)).Inc()
	case inspect.EndpointsUnchanged:
		m.endpoints.WithLabelValues(e.Reason.String()).Inc()
	case inspect.Referral:
		m.referrals.WithLabelValues(string(e.Result)).Inc()
	case inspect.KeyOutcome:
		m.contexts.WithLabelValues(e.Outcome.Result.String()).Inc()
	case inspect.IdentityUnreadable:
		m.unreadable.WithLabelValues(e.Why.Result.String()).Inc()
	case inspect.Unverified:
		m.badSignature.Inc()
	case inspect.Unreachable:
		m.unreachable.Inc()
	case inspect.InterceptionFailed:
		m.uncovered.Inc()
	case inspect.InterceptedPorts:
		if e.Repaired {
			m.repairs.Inc()
		}
	}
}

func (m *metrics) limitExceeded(e inspect.LimitExceeded) {
	backend := m.backends.label(e.Backend)
	if e.Answer != "" {
		m.binds.WithLabelValues(backend, resultRefused).Inc()
	}
	m.refusals.WithLabelValues(backend, e.Decision.Rule, strconv.FormatBool(e.Decision.DryRun)).Inc()
}

// classOf returns the class of a wire error as a label.
func classOf(err error) string {
	if c := rpcparse.ClassOf(err); c != 0 {
		return c.String()
	}
	return "other"
}

func associationReason(why error) string {
	switch {
	case errors.Is(why, session.ErrForeignAssociation):
		return "foreign"
	case errors.Is(why, session.ErrUnanswered):
		return "unanswered"
	}
	return "unknown"
}
