package report

import (
	"github.com/rs/zerolog"

	"github.com/nspiproxy/nspiproxy/proxy/inspect"
)

// controllerBurst is how many changes of one kind of one domain controller are written
// at once in a minute. A machine may say each time that NSPI is elsewhere.
const controllerBurst = 20

// controllerRecord is a change of a domain controller.
type controllerRecord inspect.ControllerChanged

// controllerKey is by what such records are summed.
type controllerKey struct{ kind, backend, dc string }

func (c controllerRecord) event(r *recorder) *zerolog.Event {
	e := r.log.Info()
	if c.Bad {
		e = r.log.Warn()
	}
	e = e.Str("event", c.Kind).Str("backend", c.Backend)
	if c.DC != "" && c.DC != c.Backend {
		e = e.Str("dc", c.DC)
	}
	if c.State != "" {
		e = e.Str("state", c.State)
	}
	if c.Ports != nil {
		e = e.Uints16("ports", c.Ports)
	}
	if c.Reason != "" {
		e = e.Str("reason", c.Reason)
	}
	return e
}

func (c controllerRecord) message() string { return c.Text }

func (c controllerRecord) add(r *recorder) {
	r.controllers.add(r, controllerKey{c.Kind, c.Backend, c.DC}, controllerKey{kind: c.Kind}, c)
}

// listening writes that a port was opened.
func (r *recorder) listening(l inspect.Listening) {
	e := r.log.Info().Str("event", "listening").Str("listener", l.Listener)
	if l.Mode != "" {
		e = e.Str("mode", l.Mode)
	} else {
		e = e.Strs("backends", l.Backends)
	}
	e = e.Stringer("address", l.Address)
	if l.Target != "" {
		e = e.Str("target", l.Target)
	}
	e.Msg("listening")
}

// pathProblem writes that the configuration does not fit this machine, or does again.
func (r *recorder) pathProblem(p inspect.PathProblem) {
	event, text := "intercept.path", p.Text
	if p.Over {
		event, text = "intercept.path_ok", "not true any more: "+p.Text
	}
	e := r.log.WithLevel(levelOf(p)).Str("event", event)
	if p.Listener != "" {
		e = e.Str("listener", p.Listener)
	}
	if p.Setting != "" {
		e = e.Str("setting", p.Setting)
	}
	e.Str("of", clip(p.Subjects)).Msg(text)
}

// program writes what the program found out about its own means.
func (r *recorder) program(e inspect.Event) {
	switch e := e.(type) {
	case inspect.PortStore:
		if e.Err != nil {
			r.log.Error().Str("event", "state.error").Err(e.Err).Msg("learnt ports are not kept over a restart")
			return
		}
		r.log.Info().Str("event", "state.ok").Msg("learnt ports are kept over a restart")
	case inspect.ConnectionsPass:
		text := "connections pass by the proxy: they were made while it did not run, and live until they end"
		if e.Connections == 0 {
			text = "no connection passes by the proxy any more"
		}
		r.log.WithLevel(levelOf(e)).Str("event", "intercept.direct").Int("connections", e.Connections).Msg(text)
	case inspect.ConnectionFile:
		r.log.WithLevel(levelOf(e)).Str("event", "connections.not_kept").Err(e.Err).
			Msg("connections to domain controllers are not recorded: after a crash of this machine their sessions stay there until the domain controller misses them")
	case inspect.ConnectionsLeft:
		r.log.WithLevel(levelOf(e)).Str("event", "connections.left").Int("ended", e.Ended).Int("unknown", e.Unknown).
			Int("in_use", e.Passed).Msg("an earlier run has crashed: this became of its connections on the domain controllers")
	case inspect.KeysLoaded:
		if e.Err != nil {
			r.log.Error().Str("event", "keytab.error").Err(e.Err).Msg("keytabs changed and could not be loaded; the old keys stay in use")
			return
		}
		r.log.Info().Str("event", "keytab.loaded").Int("keys", e.Keys).Msg("keytabs loaded again")
	}
}

// path writes that clients have another path, or that this would go unnoticed.
func (r *recorder) path(e inspect.Event) {
	switch e := e.(type) {
	case inspect.PathMoved:
		r.log.WithLevel(levelOf(e)).Str("event", "path.moved").Str("reason", e.Reason).Int("ended", e.Ended).Int("waiting", e.Waiting).
			Msg("this machine is not in the path any more: its connections are reset on both sides; those that wait, when their domain controller can be reached")
	case inspect.StandbySocket:
		r.log.WithLevel(levelOf(e)).Str("event", "standby.error").Err(e.Err).
			Msg("nspiproxy standby, or a change of addresses, is not heard of at once")
	}
}
