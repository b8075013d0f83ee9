package report

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/nspiproxy/nspiproxy/proxy/inspect"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx"
)

// Options are what a [Reporter] is given.
type Options struct {
	Log zerolog.Logger   // written from one goroutine
	Now func() time.Time // the clock of sums; nil: time.Now
	// Backends are the names of domain controllers that have series of their own,
	// whichever others come first.
	Backends []string
}

// Reporter takes events and makes log records and metrics of them. It is safe
// for concurrent use.
type Reporter struct {
	metrics  *metrics
	recorder *recorder
	verbose  bool
}

var _ inspect.Events = (*Reporter)(nil)

// New returns a reporter whose records are written once [Reporter.Run] is called.
func New(o Options) *Reporter {
	if o.Now == nil {
		o.Now = time.Now
	}
	m := newMetrics()
	for _, name := range o.Backends {
		m.backends.label(name)
	}
	return &Reporter{
		metrics:  m,
		recorder: newRecorder(o.Log, o.Now, m.lost.Inc),
		verbose:  o.Log.GetLevel() <= zerolog.DebugLevel,
	}
}

// Report implements inspect.Events.
func (r *Reporter) Report(e inspect.Event) {
	r.metrics.count(e)
	if r.recorded(e) {
		r.recorder.put(e)
	}
}

// Verbose implements inspect.Events.
func (r *Reporter) Verbose() bool { return r.verbose }

// recorded reports whether an event leads to a log record.
func (r *Reporter) recorded(e inspect.Event) bool {
	switch e := e.(type) {
	case inspect.BindAnswered:
		return e.LogonFailed
	case inspect.UnbindAnswered, inspect.Irregular, inspect.Unverified, inspect.Unreachable:
		return false
	case inspect.KeyOutcome:
		return e.Outcome.Result == secctx.WrongVersion || e.Outcome.Result == secctx.NoKey || e.Outcome.Result == secctx.Undecryptable
	case inspect.Referral:
		return e.Result != inspect.ReferralRewritten
	case inspect.Closed:
		return r.verbose || !e.Ordinary
	}
	return true
}

// Run writes records until ctx ends, and then what is still in the queue.
func (r *Reporter) Run(ctx context.Context) { r.recorder.run(ctx) }

// Registry holds the metrics; collectors of other parts are added to it.
func (r *Reporter) Registry() *prometheus.Registry { return r.metrics.registry }
