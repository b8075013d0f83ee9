package rpcparse

import (
	"fmt"
	"strings"

	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

// EventKind names what happened on a connection.
type EventKind uint8

// The events of a [Conversation].
const (
	// EventAssociationRequested: a bind; Association is the group it names, 0 for a new one.
	EventAssociationRequested EventKind = iota + 1
	// EventAssociationJoined: the bind_ack; Association is the group that the server gave.
	EventAssociationJoined
	// EventAssociationRefused: a bind_nak; Fault is its reason.
	EventAssociationRefused
	// EventUserClaimed: an NTLM AUTHENTICATE message named a user. Nothing is proved by it.
	EventUserClaimed
	// EventAuthenticated: the server accepted the security context, and with it the claimed user.
	EventAuthenticated
	// EventBindRequested: a complete NspiBind request.
	EventBindRequested
	// EventBindAnswered: its response or fault; Granted says whether a session exists now.
	EventBindAnswered
	// EventUnbindRequested: a complete NspiUnbind request.
	EventUnbindRequested
	// EventUnbindAnswered: its response or fault; Granted says whether the session is gone.
	EventUnbindAnswered
	// EventCallAbandoned: a cancel or an orphaned PDU for a call that is followed. The server may
	// still carry the call out, so nothing may be released for it.
	EventCallAbandoned
)

var eventNames = [...]string{
	EventAssociationRequested: "association_requested",
	EventAssociationJoined:    "association_joined",
	EventAssociationRefused:   "association_refused",
	EventUserClaimed:          "user_claimed",
	EventAuthenticated:        "authenticated",
	EventBindRequested:        "nspi_bind_requested",
	EventBindAnswered:         "nspi_bind_answered",
	EventUnbindRequested:      "nspi_unbind_requested",
	EventUnbindAnswered:       "nspi_unbind_answered",
	EventCallAbandoned:        "call_abandoned",
}

// String returns the stable name of the event.
func (k EventKind) String() string {
	if int(k) < len(eventNames) && eventNames[k] != "" {
		return eventNames[k]
	}
	return fmt.Sprintf("event(%d)", uint8(k))
}

// Event is one thing that a PDU meant. Which fields are set depends on Kind.
// The pointers lead into the [Conversation]: read them before it sees another PDU.
type Event struct {
	Kind        EventKind
	Granted     bool             // answers: the server did what was asked
	Opaque      bool             // the stub is sealed: Handle and Code are unknown, Granted follows from lengths
	CallID      uint32           // of the PDU
	Association uint32           // assoc_group_id
	Fault       uint32           // status of the fault, or reason of the bind_nak
	Code        nspi.Code        // return value of the method
	Handle      nspi.Handle      // context handle: given by NspiBind, named by NspiUnbind
	Security    *SecurityContext // nil: the call is not authenticated
	Call        *Call            // the call, for the events of calls
}

// String prints the event for people. Text from the network is quoted.
func (e Event) String() string {
	var b strings.Builder
	b.WriteString(e.Kind.String())
	switch e.Kind {
	case EventAssociationRequested, EventAssociationJoined:
		fmt.Fprintf(&b, " group=0x%08x", e.Association)
	case EventAssociationRefused:
		fmt.Fprintf(&b, " reason=%d", e.Fault)
	case EventUserClaimed, EventAuthenticated:
		fmt.Fprintf(&b, " %v", e.Security)
	case EventBindAnswered, EventUnbindAnswered:
		e.describeAnswer(&b)
	case EventBindRequested, EventUnbindRequested, EventCallAbandoned:
		if e.Security != nil {
			fmt.Fprintf(&b, " %v", e.Security)
		}
	}
	return b.String()
}

func (e Event) describeAnswer(b *strings.Builder) {
	switch {
	case e.Fault != 0:
		fmt.Fprintf(b, " fault=%s", StatusName(e.Fault))
	case e.Opaque:
		fmt.Fprintf(b, " granted=%t (sealed)", e.Granted)
	default:
		fmt.Fprintf(b, " granted=%t code=%v", e.Granted, e.Code)
		if !e.Handle.IsZero() {
			fmt.Fprintf(b, " handle=%v", e.Handle)
		}
	}
}
