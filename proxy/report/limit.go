package report

import (
	"github.com/rs/zerolog"

	"github.com/nspiproxy/nspiproxy/proxy/inspect"
)

const (
	// eventID and eventText are those of the event that a domain controller
	// logs when its own limit is reached (KB 949469), so that searches and
	// alarms made for it find ours.
	eventID   = 2820
	eventText = "NSPI max connection limit for the user has reached. " +
		"You need to do NSPI unbind on old connections before making new connections."
)

// limitRecord is a bind that was refused, or would have been.
type limitRecord inspect.LimitExceeded

// limitKey is what is summed together.
type limitKey struct {
	user, backend, rule string
	dryRun              bool
}

func (l limitRecord) add(r *recorder) {
	key := limitKey{user: l.User.Key(), backend: l.Backend, rule: l.Decision.Rule, dryRun: l.Decision.DryRun}
	everybody := key
	everybody.user = ""
	r.limits.add(r, key, everybody, l)
}

func (limitRecord) message() string { return eventText }

// event fills a log record. Every string from the network passes clip and the
// escaping of the writer.
func (l limitRecord) event(r *recorder) *zerolog.Event {
	e := r.log.Warn().Str("event", "limit.reject").Int("event_id", eventID)
	if l.User.SID != "" {
		e = e.Str("sid", l.User.SID)
	}
	if !l.User.Account.IsZero() {
		e = e.Str("user", clip(l.User.Account.String()))
	}
	if l.Workstation != "" {
		e = e.Str("workstation", clip(l.Workstation))
	}
	if l.Unread != "" {
		e = e.Str("reason", l.Unread)
	}
	if l.Decision.Unknown != "" {
		e = e.Str("unknown", clip(l.Decision.Unknown))
	}
	return e.Str("assurance", l.User.Assurance.String()).
		Str("client", l.Client.String()).
		Str("backend", l.Backend).
		Int("current", l.Decision.Current).
		Str("limit", l.Decision.Limit.String()).
		Str("rule", l.Decision.Rule).
		Bool("dry_run", l.Decision.DryRun).
		Str("answer", string(l.Answer)).
		Str("auth_level", l.Level.String()).
		Uint32("call_id", l.CallID)
}
