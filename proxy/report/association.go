package report

import (
	"net/netip"

	"github.com/rs/zerolog"

	"github.com/nspiproxy/nspiproxy/proxy/inspect"
)

// associationBurst is how many refusals of one client are written at once in a minute. A
// client may ask again on the same connection, as often as it likes.
const associationBurst = 10

// associationRecord is a bind that names an association in which the client has no part.
type associationRecord inspect.AssociationRefused

// associationKey is by what such records are summed.
type associationKey struct {
	backend string
	client  netip.Addr
}

func (a associationRecord) event(r *recorder) *zerolog.Event {
	return r.log.Warn().Str("event", "association.refused").Str("client", a.Client.String()).Str("backend", a.Backend).
		Uint32("assoc_group_id", a.ID).Err(a.Err)
}

func (associationRecord) message() string {
	return "bind refused: it names an association that is not the client's"
}

func (a associationRecord) add(r *recorder) {
	r.associations.add(r, associationKey{a.Backend, a.Client.Addr()}, associationKey{}, a)
}
