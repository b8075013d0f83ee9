package report

import (
	"github.com/rs/zerolog"

	"github.com/nspiproxy/nspiproxy/proxy/inspect"
)

// unreadableRecord is a user who could not be read.
type unreadableRecord inspect.IdentityUnreadable

func unreadable(e inspect.IdentityUnreadable) unreadableRecord {
	e.Why.Detail = clip(e.Why.Detail)
	return unreadableRecord(e)
}

func (u unreadableRecord) event(log *zerolog.Logger) *zerolog.Event {
	return log.Warn().Str("event", "identity.unreadable").Str("backend", u.Backend).Str("reason", u.Why.Result.String()).
		Str("mechanism", u.Mechanism.String()).Str("client", u.Client.String()).Str("detail", u.Why.Detail)
}

func (unreadableRecord) message() string {
	return "a client has authenticated with something that could not be read: its user is not known"
}
