package epm

import (
	"errors"
	"fmt"

	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/tower"
)

var (
	// ErrNotRegistered says that the endpoint mapper has no TCP port for the
	// interface. It is an answer: the connection goes on.
	ErrNotRegistered = errors.New("epm: the interface is not registered")
	// ErrClosed says that the Client was closed, or failed in an earlier call.
	ErrClosed = errors.New("epm: the connection is closed")
	// ErrProtocol is what the server said that it must not say: an answer to
	// another call, a PDU of the wrong type, fragments out of order. PDUs and
	// stubs that cannot be parsed are an [rpcparse.Error] instead.
	ErrProtocol = errors.New("epm: protocol error")
	// ErrLimit is an answer over one of the limits of this package.
	ErrLimit = errors.New("epm: over the limit")
)

// Nak is a bind_nak.
type Nak struct{ Reason uint16 }

func (e *Nak) Error() string { return "epm: bind_nak: " + rpcparse.NakReasonName(e.Reason) }

// Rejected is a bind_ack that does not accept the interface of the endpoint
// mapper in NDR.
type Rejected struct{ Result, Reason uint16 }

func (e *Rejected) Error() string {
	return fmt.Sprintf("epm: the interface of the endpoint mapper is rejected: result %d, reason %d", e.Result, e.Reason)
}

// Fault is a fault in place of an answer.
type Fault struct{ Status uint32 }

func (e *Fault) Error() string { return "epm: fault: " + rpcparse.StatusName(e.Status) }

// Status is a status of ept_map that is neither success nor
// [ErrNotRegistered].
type Status struct{ Status uint32 }

func (e *Status) Error() string { return "epm: ept_map: " + tower.StatusName(e.Status) }

func protocolf(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrProtocol, fmt.Sprintf(format, args...))
}

func limitf(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrLimit, fmt.Sprintf(format, args...))
}
