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
	// Log is written from one goroutine, which may wait for it.
	Log zerolog.Logger
	// Lost counts the records that the log has not taken; nil: none.
	Lost func() uint64
	Now  func() time.Time // the clock of sums; nil: time.Now
	// Backends are the names of domain controllers that have series of their own,
	// whichever others come first.
	Backends []string
}

// Reporter takes events and makes log records and metrics of them. It is safe
// for concurrent use.
type Reporter struct {
	metrics  *metrics
	recorder *recorder
	level    zerolog.Level // least level of the log, above that of no record
}

var _ inspect.Events = (*Reporter)(nil)

// New returns a reporter whose records are written once [Reporter.Run] is called.
func New(o Options) *Reporter {
	if o.Now == nil {
		o.Now = time.Now
	}
	m := newMetrics(o.Lost)
	for _, name := range o.Backends {
		m.backends.label(name)
	}
	return &Reporter{
		metrics:  m,
		recorder: newRecorder(o.Log, o.Now),
		level:    max(o.Log.GetLevel(), zerolog.DebugLevel),
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
func (r *Reporter) Verbose() bool { return r.level <= zerolog.DebugLevel }

// recorded reports whether an event leads to a log record, at the level that the
// log has. What does not must not wake the writer.
func (r *Reporter) recorded(e inspect.Event) bool { return levelOf(e) >= r.level }

// levelOf returns the level of an event's record; zerolog.TraceLevel if it has
// none.
func levelOf(e inspect.Event) zerolog.Level {
	const none = zerolog.TraceLevel
	switch e := e.(type) {
	case inspect.UnbindAnswered, inspect.Irregular, inspect.Unverified, inspect.Unreachable:
		return none
	case inspect.BindAnswered:
		if !e.LogonFailed {
			return none
		}
	case inspect.KeyOutcome:
		if e.Outcome.Result != secctx.WrongVersion && e.Outcome.Result != secctx.NoKey && e.Outcome.Result != secctx.Undecryptable {
			return none
		}
	case inspect.Referral:
		if e.Result == inspect.ReferralRewritten {
			return none
		}
	case inspect.Closed:
		if e.Ordinary {
			return zerolog.DebugLevel
		}
	case inspect.ControllerChanged:
		if !e.Bad {
			return zerolog.InfoLevel
		}
	case inspect.Listening:
		return zerolog.InfoLevel
	case inspect.Counted:
		if !e.Alarming {
			return zerolog.InfoLevel
		}
	case inspect.PathProblem:
		if e.Over {
			return zerolog.InfoLevel
		}
	case inspect.PortStore:
		return infoOrError(e.Err)
	case inspect.InterceptedPorts:
		return infoOrError(e.Err)
	case inspect.ConnectionsPass:
		if e.Connections == 0 {
			return zerolog.InfoLevel
		}
	case inspect.ConnectionFile:
		if e.Expected {
			return zerolog.InfoLevel
		}
	case inspect.PathMoved:
		if e.Ended+e.Waiting == 0 {
			return zerolog.InfoLevel
		}
	case inspect.StandbySocket:
		if e.Expected {
			return zerolog.InfoLevel
		}
	case inspect.ConnectionsLeft:
		if e.Unknown == 0 {
			return zerolog.InfoLevel
		}
	case inspect.DirectoryChanged:
		if e.Err == nil {
			return zerolog.InfoLevel
		}
	case inspect.KeysLoaded:
		return infoOrError(e.Err)
	case inspect.CheckFailed:
		if e.Stack != "" {
			return zerolog.ErrorLevel
		}
	}
	return zerolog.WarnLevel
}

func infoOrError(err error) zerolog.Level {
	if err != nil {
		return zerolog.ErrorLevel
	}
	return zerolog.InfoLevel
}

// Run writes records until ctx ends, and then what was reported until then. It waits for the log.
func (r *Reporter) Run(ctx context.Context) { r.recorder.run(ctx) }

// Registry holds the metrics; collectors of other parts are added to it.
func (r *Reporter) Registry() *prometheus.Registry { return r.metrics.registry }
