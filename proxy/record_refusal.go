package proxy

import (
	"net/netip"
	"time"

	"github.com/rs/zerolog"

	"github.com/nspiproxy/nspiproxy/policy"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/session"
)

const (
	// eventID and eventText are those of the event that a domain controller
	// logs when its own limit is reached (KB 949469), so that searches and
	// alarms made for it find ours.
	eventID   = 2820
	eventText = "NSPI max connection limit for the user has reached. " +
		"You need to do NSPI unbind on old connections before making new connections."

	// refusalWindow is how long repeated refusals of one user are summed.
	refusalWindow = time.Minute
	// maxRefusalSums is how many users are summed at once; a client that
	// invents names cannot fill the memory. Further ones share one sum.
	maxRefusalSums = 10000
)

// refusalRecord is a bind that was refused, or would have been.
type refusalRecord struct {
	at       time.Time
	key      string // of the identity
	user     session.Identity
	client   netip.AddrPort
	backend  string
	decision policy.Decision
	answer   string // logon_failed, fault; empty in a dry run
	callID   uint32
	level    rpcparse.AuthLevel
	station  string // workstation that the client claims to be
}

// refused reports a refused bind, or one that a dry run let pass.
func (r *recorder) refused(i *inspector, k *rpcparse.Call, id session.Identity, d policy.Decision, answer string) {
	rec := refusalRecord{
		at: r.now(), key: id.Key(), user: id, client: i.conn.Client(), backend: i.backend(),
		decision: d, answer: answer, callID: k.ID, level: k.Level,
	}
	if k.Security != nil {
		rec.station = k.Security.Workstation
	}
	r.put(rec)
}

func (rec refusalRecord) write(r *recorder) { r.refusal.add(r, rec) }

// refusalKey is what is summed together.
type refusalKey struct {
	user, backend, rule string
	dryRun              bool
}

// refusalSum counts refusals after the first one.
type refusalSum struct {
	since    time.Time
	repeated int
	last     refusalRecord
}

// refusalSums writes the first refusal of a user at once and sums the
// following ones for a minute.
type refusalSums struct {
	open map[refusalKey]*refusalSum
}

func (s *refusalSums) add(r *recorder, rec refusalRecord) {
	key := refusalKey{user: rec.key, backend: rec.backend, rule: rec.decision.Rule, dryRun: rec.decision.DryRun}
	sum := s.open[key]
	if sum == nil && len(s.open) >= maxRefusalSums {
		key.user = "" // everybody else
		sum = s.open[key]
	}
	if sum == nil {
		s.open[key] = &refusalSum{since: rec.at}
		rec.event(r).Msg(eventText)
		return
	}
	sum.repeated++
	sum.last = rec
}

// flush writes the sums whose minute is over, or all of them.
func (s *refusalSums) flush(r *recorder, now time.Time, all bool) {
	for key, sum := range s.open {
		if !all && now.Sub(sum.since) < refusalWindow {
			continue
		}
		if sum.repeated == 0 {
			delete(s.open, key)
			continue
		}
		sum.last.event(r).Int("repeated", sum.repeated).Int64("within_ms", now.Sub(sum.since).Milliseconds()).Msg(eventText)
		sum.since, sum.repeated = now, 0
	}
}

// event fills a log record. Every string from the network passes clip and the
// escaping of the writer.
func (rec refusalRecord) event(r *recorder) *zerolog.Event {
	e := r.log.Warn().Str("event", "limit.reject").Int("event_id", eventID)
	if rec.user.SID != "" {
		e = e.Str("sid", rec.user.SID)
	}
	if rec.user.Account != "" {
		e = e.Str("user", clip(rec.user.Account))
	}
	if rec.station != "" {
		e = e.Str("workstation", clip(rec.station))
	}
	if rec.decision.Unknown != "" {
		e = e.Str("unknown", clip(rec.decision.Unknown))
	}
	return e.Str("assurance", rec.user.Assurance.String()).
		Str("client", rec.client.String()).
		Str("backend", rec.backend).
		Int("current", rec.decision.Current).
		Str("limit", rec.decision.Limit.String()).
		Str("rule", rec.decision.Rule).
		Bool("dry_run", rec.decision.DryRun).
		Str("answer", rec.answer).
		Str("auth_level", rec.level.String()).
		Uint32("call_id", rec.callID)
}
