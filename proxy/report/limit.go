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

// newLimitRecord keeps no more of the texts than is written.
func newLimitRecord(e inspect.LimitExceeded) limitRecord {
	e.User.Account.Domain, e.User.Account.User = clip(e.User.Account.Domain), clip(e.User.Account.User)
	e.Workstation, e.Decision.Unknown = clip(e.Workstation), clip(e.Decision.Unknown)
	return limitRecord(e)
}

func (limitRecord) message() string { return eventText }

func (l limitRecord) event(log *zerolog.Logger) *zerolog.Event {
	e := log.Warn().Str("event", "limit.reject").Int("event_id", eventID)
	if l.User.SID != "" {
		e = e.Str("sid", clip(l.User.SID))
	}
	if !l.User.Account.IsZero() {
		e = e.Str("user", clip(l.User.Account.String()))
	}
	if l.Workstation != "" {
		e = e.Str("workstation", l.Workstation)
	}
	if l.Unread != "" {
		e = e.Str("reason", clip(l.Unread))
	}
	if l.Decision.Unknown != "" {
		e = e.Str("unknown", l.Decision.Unknown)
	}
	e = e.Str("assurance", l.User.Assurance.String()).
		Str("client", l.Client.String()).
		Str("backend", l.Backend).
		Int("current", l.Decision.Current)
	if !l.Decision.Limit.IsUnlimited() {
		e = e.Int("limit", int(l.Decision.Limit))
	}
	return e.Str("rule", l.Decision.Rule).
		Bool("dry_run", l.Decision.DryRun).
		Str("answer", string(l.Answer)).
		Str("auth_level", l.Level.String()).
		Uint32("call_id", l.CallID)
}

// upstreamRecord is a refusal by the domain controller itself of a user who did authenticate: its own limit is
// reached, or it has a reason of its own. Anonymous binds fail by design and are not reported.
type upstreamRecord inspect.BindAnswered

func (u upstreamRecord) event(log *zerolog.Logger) *zerolog.Event {
	return log.Warn().Str("event", "limit.upstream").Str("user", clip(u.Account)).Str("client", u.Client.String()).Str("backend", u.Backend)
}

func (upstreamRecord) message() string {
	return "the domain controller itself answered MAPI_E_LOGON_FAILED"
}
