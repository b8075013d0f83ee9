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
	// DCDown: it is in a worse state, or back in one that is not the best; see
	// Event.State and Event.Reason.
	DCDown Kind = "dc.down"
	// DCPorts: NSPI listens on Event.Ports, other ones than before, or on none
	// that the endpoint mapper knows: those known before are kept then.
	DCPorts Kind = "dc.ports"
	// EPMDown: its endpoint mapper cannot be asked; told once until it can.
	EPMDown Kind = "epm.down"
	// EPMUp: it can be asked again.
	EPMUp Kind = "epm.up"
	// SRVChanged: DNS names other domain controllers than before.
	SRVChanged Kind = "srv.changed"
	// SRVFailed: DNS does not answer, or names none; those known before are
	// kept. Told again when the reason changes.
	SRVFailed Kind = "srv.failed"
)

// Event is something that an administrator may want to know. It prints itself.
type Event struct {
	Kind    Kind
	Backend string // the configured backend's name
	DC      string // the domain controller's name; empty in srv events
	State   State  // in dc.up and dc.down
	Ports   []uint16
	// Reason is in words; printable and clipped, whatever the network said.
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
	case DCPorts:
		s += fmt.Sprintf(" %v", e.Ports)
	}
	if e.Reason != "" {
		s += ": " + e.Reason
	}
	return s
}

// printable makes a text from elsewhere fit for a log: no control characters,
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
