package proxy

import "github.com/nspiproxy/nspiproxy/proxy/backend"

// controllerRecord is a change of a domain controller.
type controllerRecord backend.Event

// controllerEvent reports a change of a domain controller, or of those that DNS
// names.
func (r *recorder) controllerEvent(e backend.Event) { r.put(controllerRecord(e)) }

func (c controllerRecord) write(r *recorder) {
	e := r.log.Info()
	switch c.Kind {
	case backend.DCDown, backend.EPMDown, backend.SRVFailed:
		e = r.log.Warn()
	}
	e = e.Str("event", string(c.Kind)).Str("backend", c.Backend)
	if c.DC != "" && c.DC != c.Backend {
		e = e.Str("dc", c.DC)
	}
	switch c.Kind {
	case backend.DCUp, backend.DCDown:
		e = e.Stringer("state", c.State)
	case backend.DCPorts:
		e = e.Uints16("ports", c.Ports)
	}
	if c.Reason != "" {
		e = e.Str("reason", c.Reason)
	}
	e.Msg(controllerTexts[c.Kind])
}

// controllerTexts are the messages, by kind.
var controllerTexts = map[backend.Kind]string{
	backend.DCUp:       "a domain controller is serving",
	backend.DCDown:     "a domain controller is not serving",
	backend.DCPorts:    "the endpoint mapper of a domain controller tells where NSPI is",
	backend.EPMDown:    "the endpoint mapper of a domain controller does not answer: known ports are kept",
	backend.EPMUp:      "the endpoint mapper of a domain controller answers again",
	backend.SRVChanged: "DNS names other domain controllers",
	backend.SRVFailed:  "DNS names no domain controllers: those known are kept",
}
