package backend

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"syscall"
)

// outcome is what became of an attempt to connect.
type outcome uint8

const (
	// connected: somebody listens there.
	connected outcome = iota
	// refused: nobody listens there, but the host lives.
	refused
	// unanswered: nothing came back, or the network says that the host is not
	// there.
	unanswered
	// undecided: this machine could not even try (no free port, no
	// descriptor), or was told not to: nobody's fault.
	undecided
)

// classify judges the error of a connect.
func classify(err error) outcome {
	var n net.Error
	switch {
	case err == nil:
		return connected
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ECONNRESET):
		return refused
	case errors.Is(err, context.Canceled):
		return undecided
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTDOWN),
		errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded),
		errors.As(err, &n) && n.Timeout():
		return unanswered
	}
	return undecided
}

// isDial reports whether err is one of connecting, not of what came later.
func isDial(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// dialer connects, and closes again, for nothing but the outcome.
type dialer func(ctx context.Context, addr netip.AddrPort) error

// dialTCP is the dialer of all but tests.
func dialTCP(ctx context.Context, addr netip.AddrPort) error {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr.String())
	if err == nil {
		conn.Close()
	}
	return err
}
