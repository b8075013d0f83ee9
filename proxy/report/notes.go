package report

import (
	"fmt"

	"github.com/rs/zerolog"

	"github.com/nspiproxy/nspiproxy/proxy/inspect"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx"
)

// notesOfKind is how many different findings of one kind are remembered as written: with transparent listeners a
// client can bring about one for each of very many addresses. It is below the lines of a minute, so that each is written.
// maxNotes is that of all: 40 kinds, more than there are, so that none takes the place of another.
const (
	notesOfKind = 100
	maxNotes    = 40 * notesOfKind
)

// onceNotes remembers what was written.
type onceNotes struct {
	seen  map[string]map[string]struct{} // by kind
	count int
	limit int
	each  int // of one kind
}

func newOnceNotes(limit, each int) onceNotes {
	return onceNotes{seen: make(map[string]map[string]struct{}), limit: limit, each: each}
}

// first reports whether id is new among those of its kind and there is room to
// remember it.
func (o *onceNotes) first(kind, id string) bool {
	of := o.seen[kind]
	if _, seen := of[id]; seen || o.count >= o.limit || len(of) >= o.each {
		return false
	}
	if of == nil {
		of = make(map[string]struct{})
		o.seen[kind] = of
	}
	of[id] = struct{}{}
	o.count++
	return true
}

// finding is what administrators need to read once about a subject, however often
// it recurs.
type finding struct{ name, subject, text string }

func (f finding) event(log *zerolog.Logger) *zerolog.Event {
	return log.Warn().Str("event", f.name).Str("backend", clip(f.subject))
}

func (f finding) message() string { return f.text }

// findingOf returns the finding that an event is.
func findingOf(e inspect.Event) (f finding, ok bool) {
	switch e := e.(type) {
	case inspect.EndpointsUnchanged:
		f = endpointsUnchanged(e)
	case inspect.KeyOutcome:
		f = keyOutcome(e)
	case inspect.NotRPC:
		f = finding{"traffic.not_rpc", e.Backend, "a connection does not speak DCE/RPC and is passed unseen, as configured"}
	case inspect.ConnectionForeign:
		f = finding{"intercept.foreign", e.Listener, fmt.Sprintf("a connection from %v to %v was refused: "+
			"it is not to one of the listener's destinations", e.Client, e.To)}
	case inspect.BackendIsProxy:
		f = finding{"backend.itself", e.Backend, fmt.Sprintf("%s is not used as a domain controller: %v is this proxy itself", clip(e.DC), e.Address)}
	case inspect.PortTaken:
		f = finding{"listen.port", e.Listener, fmt.Sprintf("NSPI is on port %d of the domain controller, and that number is not free here: "+
			"clients whose calls to the endpoint mapper are signed do not find it: %s", e.Port, clip(e.Err.Error()))}
	case inspect.NoIPv6:
		f = finding{"intercept.family", e.Listener, "destinations are IPv6 networks, and this machine has no IPv6: they are left out"}
	case inspect.InterceptionFailed:
		f = finding{"intercept.port", e.DC, "connections to a port of NSPI are not intercepted: " + clip(e.Err.Error())}
	}
	return f, f.name != ""
}

// endpointsUnchanged says what could not be done with an answer of the endpoint
// mapper.
func endpointsUnchanged(e inspect.EndpointsUnchanged) finding {
	switch e.Reason {
	case inspect.EndpointsProtected:
		return finding{"endpoint.protected", e.Backend, "an answer of the endpoint mapper is signed and passed unchanged: " +
			"that client finds NSPI if the proxy listens on the same port, as it does where that is free; " +
			"otherwise fix the port of NSPI on the domain controller and set nspi_port"}
	case inspect.EndpointsPrivate:
		return finding{"endpoint.protected", e.Backend, "an answer of the endpoint mapper is signed and cannot be read: " +
			"the proxy asks the endpoint mapper itself which ports are to be intercepted"}
	case inspect.EndpointsMalformed:
		return finding{"endpoint.malformed", e.Backend, "an answer of the endpoint mapper could not be read and passed unchanged"}
	case inspect.EndpointsNoPort:
		return finding{"endpoint.port", e.Backend, "no port could be opened for an endpoint of the domain controller; its tower keeps the domain controller's"}
	}
	return finding{}
}

// keyOutcome says that keys could not be found for a handshake: an
// administrator learns from it that a password has changed.
func keyOutcome(e inspect.KeyOutcome) finding {
	switch o := e.Outcome; o.Result {
	case secctx.WrongVersion:
		return finding{"key.stale", e.Backend, "a ticket is made with a key that is not in the keytab: " + clip(o.Detail)}
	case secctx.NoKey:
		return finding{"auth.opaque", e.Backend, "a security context cannot be read: " + clip(o.Detail)}
	case secctx.Undecryptable:
		return finding{"key.wrong", e.Backend, "a security context cannot be read with the key at hand: " + clip(o.Detail)}
	}
	return finding{}
}
