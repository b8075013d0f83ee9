package backend

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"syscall"
)

// outcome is the outcome of an attempt to connect.
type outcome uint8

const (
	// connected: the port accepted the connection.
	connected outcome = iota
	// refused: nothing listens on the port, but the host is alive.
	refused
	// unanswered: nothing came back, or the network says that the host is not
	// there.
	unanswered
	// undecided: this machine could not try (no free port, no descriptor), or
	// the attempt was canceled: it says nothing about the host.
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

// isDial reports whether err is an error of connecting, and not of what came after.
func isDial(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// dialer connects and closes the connection again: only the outcome matters.
type dialer func(ctx context.Context, addr netip.AddrPort) error

// dialTCP is the dialer outside of tests.
func dialTCP(ctx context.Context, addr netip.AddrPort) error {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr.String())
	if err == nil {
		conn.Close()
	}
	return err
}
