package report

import (
	"github.com/rs/zerolog"

	"github.com/nspiproxy/nspiproxy/proxy/inspect"
)

// programRecord is what the program found out about its own means, its machine and its files.
type programRecord struct {
	name, about string
	level       zerolog.Level
	fields      func(*zerolog.Event) *zerolog.Event // nil: none
	text        string
}

func (p programRecord) event(log *zerolog.Logger) *zerolog.Event {
	e := log.WithLevel(p.level).Str("event", p.name)
	if p.fields != nil {
		e = p.fields(e)
	}
	return e
}

func (p programRecord) message() string { return p.text }

// programRecordOf returns the record of an event about the program itself.
func programRecordOf(e inspect.Event) (p programRecord, ok bool) {
	switch e := e.(type) {
	case inspect.Counted:
		p = programRecord{name: "identity.how", about: e.Who, text: e.How,
			fields: func(z *zerolog.Event) *zerolog.Event { return z.Str("who", e.Who) }}
	case inspect.PathProblem:
		p = pathProblem(e)
	case inspect.PortStore:
		p = programRecord{name: "state.error", text: "learnt ports are not kept over a restart", fields: errorOf(e.Err)}
		if e.Err == nil {
			p.name, p.text = "state.ok", "learnt ports are kept over a restart"
		}
	case inspect.ConnectionsPass:
		p = programRecord{name: "intercept.direct", text: "connections pass by the proxy: they were made while it did not run, and live until they end",
			fields: func(z *zerolog.Event) *zerolog.Event { return z.Int("connections", e.Connections) }}
		if e.Connections == 0 {
			p.text = "no connection passes by the proxy any more"
		}
	case inspect.ConnectionFile:
		p = programRecord{name: "connections.not_kept", fields: errorOf(e.Err), text: "connections to domain controllers are not recorded: " +
			"after a crash of this machine their sessions stay there until the domain controller misses them"}
	case inspect.ConnectionsLeft:
		p = programRecord{name: "connections.left", text: "an earlier run has crashed: this became of its connections on the domain controllers",
			fields: func(z *zerolog.Event) *zerolog.Event {
				return z.Int("ended", e.Ended).Int("unknown", e.Unknown).Int("in_use", e.Passed)
			}}
	case inspect.DirectoryChanged:
		p = programRecord{name: "directory.down", fields: errorOf(e.Err), text: "the directory does not answer: users whose SID is not remembered are not looked up until it does"}
		if e.Err == nil {
			p.name, p.text = "directory.up", "the directory answers again"
		}
	case inspect.KeysLoaded:
		p = programRecord{name: "keytab.error", fields: errorOf(e.Err), text: "keytabs changed and could not be loaded; the old keys stay in use"}
		if e.Err == nil {
			p = programRecord{name: "keytab.loaded", text: "keytabs loaded again",
				fields: func(z *zerolog.Event) *zerolog.Event { return z.Int("keys", e.Keys) }}
		}
	case inspect.PathMoved:
		p = programRecord{name: "path.moved", text: "this machine is not in the path any more: its connections are reset on both sides; " +
			"those that wait, when their domain controller can be reached",
			fields: func(z *zerolog.Event) *zerolog.Event {
				return z.Str("reason", e.Reason).Int("ended", e.Ended).Int("waiting", e.Waiting)
			}}
	case inspect.StandbySocket:
		p = programRecord{name: "standby.error", fields: errorOf(e.Err), text: "nspiproxy standby, or a change of addresses, is not heard of at once"}
	case inspect.ShutdownDeadline:
		p = programRecord{name: "shutdown.deadline", text: "connections were still open and have been closed",
			fields: func(z *zerolog.Event) *zerolog.Event { return z.Dur("after", e.After) }}
	case inspect.HTTPError:
		p = programRecord{name: "http.error", text: "a connection to the HTTP server for metrics has failed",
			fields: func(z *zerolog.Event) *zerolog.Event { return z.Str("error", clip(e.Text)) }}
	default:
		return p, false
	}
	p.level = levelOf(e)
	return p, true
}

func errorOf(err error) func(*zerolog.Event) *zerolog.Event {
	return func(z *zerolog.Event) *zerolog.Event { return failure(z, err) }
}

// pathProblem says that the configuration does not fit this machine, or does again.
func pathProblem(e inspect.PathProblem) programRecord {
	p := programRecord{name: "intercept.path", about: e.Listener + e.Setting, text: e.Text}
	if e.Over {
		p.name, p.text = "intercept.path_ok", "not true any more: "+e.Text
	}
	p.fields = func(z *zerolog.Event) *zerolog.Event {
		if e.Listener != "" {
			z = z.Str("listener", e.Listener)
		}
		if e.Setting != "" {
			z = z.Str("setting", e.Setting)
		}
		return z.Str("of", clip(e.Subjects))
	}
	return p
}
