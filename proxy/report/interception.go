package report

import (
	"github.com/rs/zerolog"

	"github.com/nspiproxy/nspiproxy/proxy/inspect"
)

// interceptedRecord says whether connections of clients are led here.
type interceptedRecord inspect.InterceptedPorts

func (i interceptedRecord) event(log *zerolog.Logger) *zerolog.Event {
	if i.Err == nil {
		return log.Info().Str("event", "intercept.ok").Int("ports", i.Ports).Bool("repaired", i.Repaired).
			Int64("after_ms", i.After.Milliseconds())
	}
	e := failure(log.Error().Str("event", "intercept.error").Str("reason", i.Reason), i.Err)
	if i.By != "" {
		e = e.Str("changed_by", clip(i.By))
	}
	return e
}

func (i interceptedRecord) message() string {
	switch {
	case i.Err != nil:
		return "connections of clients are not led here as configured"
	case i.Repaired:
		return "repaired: connections of clients are led here as configured"
	}
	return "connections of clients are led here as configured"
}
