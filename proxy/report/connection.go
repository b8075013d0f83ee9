package report

import (
	"github.com/rs/zerolog"

	"github.com/nspiproxy/nspiproxy/proxy/inspect"
)

// violationRecord is a PDU that ended its connection.
type violationRecord inspect.Violation

func (v violationRecord) event(log *zerolog.Logger) *zerolog.Event {
	return failure(log.Warn().Str("event", "proto.error").Str("class", classOf(v.Err)).Str("client", v.Client.String()).
		Str("backend", v.Backend).Str("ptype", v.Type.String()).Str("header", v.Header), v.Err)
}

func (violationRecord) message() string {
	return "connection closed: a PDU breaks the rules of the protocol"
}

// closedRecord is the end of a connection: at debug level where it is ordinary.
type closedRecord inspect.Closed

func (c closedRecord) event(log *zerolog.Logger) *zerolog.Event {
	e := log.Warn()
	if c.Ordinary {
		e = log.Debug()
	}
	where, name := "backend", c.Backend
	if c.Listener != "" {
		where, name = "listener", c.Listener
	}
	return failure(e.Str("event", "connection.closed").Str("client", c.Client.String()).Str(where, name).Str("reason", c.Cause), c.Err)
}

func (closedRecord) message() string { return "connection closed" }
