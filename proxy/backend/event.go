package backend

import (
	"fmt"
	"strings"
	"unicode"
)

// Kind is the kind of an [Event], as it appears in the log.
type Kind string

// The kinds.
const (
	// DCUp: the domain controller is serving.
	DCUp Kind = "dc.up"
	// DCDown: it is unreachable, or reachable and not serving; Event.State says
	// which, Event.Reason why.
	DCDown Kind = "dc.down"
	// DCPorts: NSPI listens on Event.Ports, which are others than before. Without
	// ports: the endpoint mapper names none any more, and those known are kept.
	DCPorts Kind = "dc.ports"
	// DCProcess: the further interfaces of the process of NSPI listen on
	// Event.Ports, which are others than before.
	DCProcess Kind = "dc.process"
	// EPMDown: its endpoint mapper does not answer; reported once until EPMUp.
	EPMDown Kind = "epm.down"
	// EPMUp: it answers again.
	EPMUp Kind = "epm.up"
	// ClientsUnanswered: connections under the addresses of clients are not answered,
	// while those of this machine to the same port are. Event.Reason has the networks.
	ClientsUnanswered Kind = "clients.unanswered"
	// ClientsAnswered: they are again.
	ClientsAnswered Kind = "clients.answered"
	// SRVChanged: DNS names other domain controllers than before.
	SRVChanged Kind = "srv.changed"
	// SRVFailed: DNS does not answer, or names none; those known are kept.
	// Reported again when the reason changes.
	SRVFailed Kind = "srv.failed"
)

// Event is a change for the log. It prints itself.
type Event struct {
	Kind    Kind
	Backend string // the configured backend's name
	DC      string // the domain controller's name; empty in srv events
	State   State  // in dc.up and dc.down
	Ports   []uint16
	// Reason is a text for people. It may quote the network: it is made
	// printable, and cut at maxText bytes.
	Reason string
}

// String returns the event as a line for people.
func (e Event) String() string {
	name := e.DC
	if name == "" {
		name = e.Backend
	}
	s := fmt.Sprintf("%s %s", e.Kind, name)
	switch e.Kind {
	case DCUp, DCDown:
		s += " " + e.State.String()
	case DCPorts, DCProcess:
		s += fmt.Sprintf(" %v", e.Ports)
	}
	if e.Reason != "" {
		s += ": " + e.Reason
	}
	return s
}

// printable makes a text from the network fit for a log: no control characters,
// no line ends, at most maxText bytes.
func printable(s string) string {
	clipped := len(s) > maxText
	if clipped {
		s = s[:maxText]
	}
	s = strings.Map(func(r rune) rune {
		if r == unicode.ReplacementChar || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
	if clipped {
		s += "…"
	}
	return s
}
