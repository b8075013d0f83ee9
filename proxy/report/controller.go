package report

import (
	"github.com/rs/zerolog"

	"github.com/nspiproxy/nspiproxy/proxy/inspect"
)

// controllerRecord is a change of a domain controller.
type controllerRecord inspect.ControllerChanged

func (c controllerRecord) event(log *zerolog.Logger) *zerolog.Event {
	e := log.Info()
	if c.Bad {
		e = log.Warn()
	}
	e = e.Str("event", c.Kind).Str("backend", c.Backend)
	if c.DC != "" && c.DC != c.Backend {
		e = e.Str("dc", clip(c.DC))
	}
	if c.State != "" {
		e = e.Str("state", c.State)
	}
	if c.Ports != nil {
		e = e.Uints16("ports", c.Ports)
	}
	if c.Reason != "" {
		e = e.Str("reason", clip(c.Reason))
	}
	return e
}

func (c controllerRecord) message() string { return c.Text }

// checkRecord is a check of a domain controller that says nothing about it.
type checkRecord inspect.CheckFailed

// maxStack is how much of a stack is written, in bytes: the functions nearest to the mistake.
const maxStack = 4 << 10

func (c checkRecord) event(log *zerolog.Logger) *zerolog.Event {
	if c.Stack == "" {
		return log.Warn().Str("event", "health.not_checked").Str("dc", clip(c.DC)).Str("reason", clip(c.Reason))
	}
	return log.Error().Str("event", "health.panicked").Str("dc", clip(c.DC)).Str("reason", clip(c.Reason)).
		Str("stack", c.Stack[:min(len(c.Stack), maxStack)])
}

func (c checkRecord) message() string {
	if c.Stack == "" {
		return "a domain controller cannot be checked, and counts as serving"
	}
	return "a check of a domain controller has panicked, and counts as failed"
}

// listeningRecord is a port that was opened.
type listeningRecord inspect.Listening

func (l listeningRecord) event(log *zerolog.Logger) *zerolog.Event {
	e := log.Info().Str("event", "listening")
	switch {
	case l.Listener == "":
	case l.Mode != "":
		e = e.Str("listener", l.Listener).Str("mode", l.Mode)
	default:
		e = e.Str("listener", l.Listener).Strs("backends", l.Backends)
	}
	e = e.Stringer("address", l.Address)
	if l.Target != "" {
		e = e.Str("target", l.Target)
	}
	return e
}

func (l listeningRecord) message() string {
	if l.Listener == "" {
		return "metrics on /metrics"
	}
	return "listening"
}
