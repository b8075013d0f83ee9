package report

import (
	"errors"
	"syscall"

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

// refusedRecord is a client that was reset because there are too many connections.
type refusedRecord inspect.ClientRefused

// refusedEntry sums by network, and where there are too many connections in all, by listener.
func refusedEntry(e inspect.ClientRefused) entry {
	k := key{kind: "connection.refused", a: e.Listener}
	if e.Held > 0 {
		k.b = e.Network.String()
	}
	return entry{record: refusedRecord(e), key: k}
}

func (r refusedRecord) event(log *zerolog.Logger) *zerolog.Event {
	e := log.Warn().Str("event", "connection.refused").Str("client", r.Client.String()).Str("listener", r.Listener)
	if r.Held > 0 {
		e = e.Str("network", r.Network.String()).Int("held", r.Held)
	}
	return e
}

func (r refusedRecord) message() string {
	if r.Held > 0 {
		return "a client was reset: the clients of its network have their share of the connections"
	}
	return "a client was reset: there are relay.max_connections"
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

func (c closedRecord) message() string {
	if errors.Is(c.Err, syscall.EMFILE) || errors.Is(c.Err, syscall.ENFILE) {
		return "connection closed: this program, or the machine, has as many files open as it may; raise LimitNOFILE of the unit (ulimit -n), " +
			"to two for each of relay.max_connections and 500 more"
	}
	return "connection closed"
}
