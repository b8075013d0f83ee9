package relay

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// connectFrom makes a socket and starts its connection. source, if valid, need not be
// an address of this machine. Its port is used unless it is taken, such as by another
// connection of the same client. Without a source the kernel chooses.
func connectFrom(source netip.AddrPort, to *sockaddr, options []option) (int32, error) {
	if !source.IsValid() {
		return startConnecting(nil, to, options)
	}
	from, err := newSockaddr(source)
	if err != nil {
		return -1, err
	}
	if from.family() != to.family() {
		return -1, fmt.Errorf("connect from %v to %v: addresses of two families", source, to.addrPort())
	}
	fd, err := startConnecting(&from, to, options)
	if err != nil && source.Port() != 0 && portTaken(err) {
		from, _ = newSockaddr(netip.AddrPortFrom(source.Addr(), 0))
		fd, err = startConnecting(&from, to, options)
	}
	return fd, err
}

// portTaken reports whether another source port may help: this one belongs to a
// socket, needs a privilege, or has a connection to the same destination.
func portTaken(err error) bool {
	var errno syscall.Errno
	return errors.As(err, &errno) && (errno == unix.EADDRINUSE || errno == unix.EACCES || errno == unix.EADDRNOTAVAIL)
}

// startConnecting makes a socket, binds it to from unless that is nil, and starts
// its connection.
func startConnecting(from, to *sockaddr, options []option) (int32, error) {
	fd, errno := newSocket(to.family())
	if errno != 0 {
		return -1, os.NewSyscallError("socket", errno)
	}
	err := setOptions(fd, options)
	if err == nil && from != nil {
		err = bindSource(fd, from)
	}
	if err == nil {
		if errno := connect(fd, to); errno != 0 && errno != unix.EINPROGRESS {
			err = os.NewSyscallError("connect", errno)
		}
	}
	if err != nil {
		closeSocket(fd)
		return -1, err
	}
	return fd, nil
}

// bindSource binds fd to an address that may be another machine's. Port 0 is chosen
// in connect, so that ports of connections to other destinations may be used again.
func bindSource(fd int32, from *sockaddr) error {
	options := []option{transparent(from.family()), {unix.SOL_SOCKET, unix.SO_REUSEADDR, 1}}
	if from.addrPort().Port() == 0 {
		options = append(options, option{unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1})
	}
	if err := setOptions(fd, options); err != nil {
		return err
	}
	return errnoError("bind", bind(fd, from))
}
