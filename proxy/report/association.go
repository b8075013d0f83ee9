package report

import (
	"github.com/rs/zerolog"

	"github.com/nspiproxy/nspiproxy/proxy/inspect"
)

// associationRecord is a bind that names an association in which the client has no part.
type associationRecord inspect.AssociationRefused

func (a associationRecord) event(log *zerolog.Logger) *zerolog.Event {
	return failure(log.Warn().Str("event", "association.refused").Str("client", a.Client.String()).Str("backend", a.Backend).
		Uint32("assoc_group_id", a.ID), a.Err)
}

func (associationRecord) message() string {
	return "bind refused: it names an association that is not the client's"
}
