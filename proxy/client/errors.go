package client

import (
	"errors"
	"fmt"

	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
	"github.com/nspiproxy/nspiproxy/rpcparse/tower"
)

var (
	// ErrProtocol is what a server must not say: an answer to another call, a PDU
	// of the wrong type, fragments out of order. PDUs and stubs that cannot be
	// parsed, and signatures that are wrong, are an [rpcparse.Error] instead.
	ErrProtocol = errors.New("protocol error")
	// ErrLimit is an answer over one of the limits of this package.
	ErrLimit = errors.New("over the limit")
	// ErrNotRegistered says that an endpoint mapper has no TCP port for the
	// interface. It is an answer: the connection goes on.
	ErrNotRegistered = errors.New("epm: the interface is not registered")
	// ErrClosed says that a [Mapper] was closed, or failed in an earlier call.
	ErrClosed = errors.New("epm: the connection is closed")
)

func protocolf(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrProtocol, fmt.Sprintf(format, args...))
}

func limitf(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrLimit, fmt.Sprintf(format, args...))
}

// Fault is the error of a call that was answered by a fault.
type Fault struct {
	Status uint32
	PDU    rpcparse.Fault
}

// Error implements error.
func (f *Fault) Error() string { return "fault " + rpcparse.StatusName(f.Status) }

// Nak is the error of a bind that was answered by bind_nak.
type Nak struct {
	Reason uint16
}

// Error implements error.
func (n *Nak) Error() string { return "bind_nak " + rpcparse.NakReasonName(n.Reason) }

// Rejected is the error of a bind or alter_context whose context was not
// accepted.
type Rejected struct {
	ContextID uint16
	Result    rpcparse.ContextResult
}

// Error implements error.
func (r *Rejected) Error() string {
	return fmt.Sprintf("context %d: result %d, reason %d", r.ContextID, r.Result.Result, r.Result.Reason)
}

// CodeError is the error of an NSPI call that returned a failure.
type CodeError struct {
	Code nspi.Code
}

// Error implements error.
func (e *CodeError) Error() string { return e.Code.String() }

// StatusError is a status of the endpoint mapper that is neither success nor
// [ErrNotRegistered].
type StatusError struct{ Status uint32 }

// Error implements error.
func (e *StatusError) Error() string { return "ept_map: " + tower.StatusName(e.Status) }

// IsCode reports whether err says that an NSPI call returned code.
func IsCode(err error, code nspi.Code) bool {
	var e *CodeError
	return errors.As(err, &e) && e.Code == code
}

// IsFault reports whether err is a fault of the given status.
func IsFault(err error, status uint32) bool {
	var f *Fault
	return errors.As(err, &f) && f.Status == status
}

// IsNak reports whether err is a bind_nak of the given reason.
func IsNak(err error, reason uint16) bool {
	var n *Nak
	return errors.As(err, &n) && n.Reason == reason
}
