package report

import (
	"github.com/rs/zerolog"

	"github.com/nspiproxy/nspiproxy/proxy/inspect"
)

// interceptBurst is how many records of one kind are written within a minute before
// they are summed. The proxy repairs what others change once a second at most, and less
// often when that is of no use.
const interceptBurst = 20

// interceptedKey is the reason; empty: connections are led here.
type interceptedKey string

// interceptedRecord says whether connections of clients are led here.
type interceptedRecord inspect.InterceptedPorts

func (i interceptedRecord) add(r *recorder) {
	r.intercepts.add(r, interceptedKey(i.Reason), interceptedKey(i.Reason), i)
}

func (i interceptedRecord) event(r *recorder) *zerolog.Event {
	if i.Err == nil {
		return r.log.Info().Str("event", "intercept.ok").Int("ports", i.Ports).Bool("repaired", i.Repaired).
			Int64("after_ms", i.After.Milliseconds())
	}
	e := r.log.Error().Str("event", "intercept.error").Str("reason", i.Reason).Err(i.Err)
	if i.By != "" {
		e = e.Str("changed_by", i.By)
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
