package report

import (
	"github.com/rs/zerolog"

	"github.com/nspiproxy/nspiproxy/proxy/inspect"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx"
)

// unreadableRecord is a user who could not be read.
type unreadableRecord inspect.IdentityUnreadable

// unreadableKey is by what such records are summed.
type unreadableKey struct {
	backend string
	reason  secctx.Result
}

func (u unreadableRecord) event(r *recorder) *zerolog.Event {
	return r.log.Warn().Str("event", "identity.unreadable").Str("backend", u.Backend).Str("reason", u.Why.Result.String()).
		Str("mechanism", u.Mechanism.String()).Str("client", u.Client.String()).Str("detail", clip(u.Why.Detail))
}

func (unreadableRecord) message() string {
	return "a client has authenticated with something that could not be read: its user is not known"
}

func (u unreadableRecord) add(r *recorder) {
	r.unreadable.add(r, unreadableKey{u.Backend, u.Why.Result}, unreadableKey{reason: u.Why.Result}, u)
}
