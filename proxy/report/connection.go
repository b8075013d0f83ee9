package report

import (
	"github.com/rs/zerolog"

	"github.com/nspiproxy/nspiproxy/proxy/inspect"
)

// violation writes that a PDU ended its connection.
func (r *recorder) violation(v inspect.Violation) {
	r.log.Warn().Str("event", "proto.error").Str("class", classOf(v.Err)).Str("client", v.Client.String()).
		Str("backend", v.Backend).Str("ptype", v.Type.String()).Str("header", v.Header).Err(v.Err).
		Msg("connection closed: a PDU breaks the rules of the protocol")
}

// closedRecord is the end of a connection: at debug level where it is ordinary.
type closedRecord inspect.Closed

// closedKey is what is summed together: a domain controller that is down, or a
// client that sends nonsense, ends very many connections for one reason.
type closedKey struct{ backend, listener, cause string }

func (c closedRecord) add(r *recorder) {
	if c.Ordinary {
		c.fill(r.log.Debug()).Msg(c.message())
		return
	}
	key := closedKey{c.Backend, c.Listener, c.Cause}
	everywhere := closedKey{cause: c.Cause}
	if c.Listener != "" {
		everywhere.listener = "other"
	}
	r.closings.add(r, key, everywhere, c)
}

func (c closedRecord) event(r *recorder) *zerolog.Event { return c.fill(r.log.Warn()) }

func (c closedRecord) fill(e *zerolog.Event) *zerolog.Event {
	where, name := "backend", c.Backend
	if c.Listener != "" {
		where, name = "listener", c.Listener
	}
	return e.Str("event", "connection.closed").Str("client", c.Client.String()).Str(where, name).
		Str("reason", c.Cause).AnErr("error", c.Err)
}

func (closedRecord) message() string { return "connection closed" }

// refusedUpstream writes that the domain controller itself refused a user who did
// authenticate: its own limit is reached, or it has a reason of its own.
// Anonymous binds fail by design and are not reported.
func (r *recorder) refusedUpstream(b inspect.BindAnswered) {
	r.log.Warn().Str("event", "limit.upstream").Str("user", clip(b.Account)).Str("client", b.Client.String()).
		Str("backend", b.Backend).Msg("the domain controller itself answered MAPI_E_LOGON_FAILED")
}
