package halfopen

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// control has a socket take the address of an earlier one, which may be another
// machine's.
func control(c Connection) func(network, address string, raw syscall.RawConn) error {
	return func(_, _ string, raw syscall.RawConn) (err error) {
		controlled := raw.Control(func(fd uintptr) {
			err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
			switch {
			case err != nil || !c.Foreign:
			case c.Local.Addr().Is6():
				err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_TRANSPARENT, 1)
			default:
				err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_TRANSPARENT, 1)
			}
		})
		return errors.Join(controlled, os.NewSyscallError("setsockopt", err))
	}
}

// isRefused reports whether a connect was answered by a reset.
func isRefused(err error) bool {
	return errors.Is(err, unix.ECONNREFUSED) || errors.Is(err, unix.ECONNRESET)
}

// isInUse reports whether this machine has a socket with these addresses and ports.
func isInUse(err error) bool {
	return errors.Is(err, unix.EADDRINUSE) || errors.Is(err, unix.EADDRNOTAVAIL)
}
