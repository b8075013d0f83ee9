package relay

import (
	"fmt"
	"net/netip"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// option is one integer socket option.
type option struct {
	level, name int
	value       int32
}

// setOptions sets all of them, or says which one failed.
func setOptions(fd int32, options []option) error {
	for _, o := range options {
		errno := setOption(fd, o.level, o.name, o.value)
		if errno == unix.EPERM { // of these options, only transparent needs a privilege
			return fmt.Errorf("%w: %w", errTransparent, errno)
		}
		if errno != 0 {
			return fmt.Errorf("socket option %d/%d: %w", o.level, o.name, errno)
		}
	}
	return nil
}

// noDelay is an option of every connection, because a PDU is written whole.
var noDelay = []option{{unix.IPPROTO_TCP, unix.TCP_NODELAY, 1}}

// keepAliveOptions returns the other options of every connection: keep-alive, because
// MAPI clients are silent for hours and middleboxes forget them.
//
// The user timeout is for bytes that are not acknowledged, which keep-alive does not
// see and which the kernel retransmits for a quarter of an hour by default. It also
// ends keep-alive at the first probe after it, so it is set to the time of the last
// one.
func keepAliveOptions(keepAlive time.Duration) []option {
	idle, interval := keepAliveTimes(keepAlive)
	return []option{
		{unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
		{unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, idle},
		{unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, interval},
		{unix.IPPROTO_TCP, unix.TCP_KEEPCNT, keepAliveProbes},
		{unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int32(userTimeout(keepAlive) / time.Millisecond)},
	}
}

// keepAliveTimes returns after how much silence a peer is asked, and how long each
// answer may take, in seconds.
func keepAliveTimes(keepAlive time.Duration) (idle, interval int32) {
	idle = int32(max(1, min(keepAlive/time.Second, 32767))) // the kernel's bound: MAX_TCP_KEEPIDLE
	return idle, max(1, idle/keepAliveProbes)
}

// userTimeout returns how long bytes may be under way to a peer that is silent.
func userTimeout(keepAlive time.Duration) time.Duration {
	idle, interval := keepAliveTimes(keepAlive)
	return time.Duration(idle+keepAliveProbes*interval) * time.Second
}

// listenSockets makes n sockets that listen on one address, and returns the
// address (with the port chosen, if it was 0).
//
// The first socket is bound before it gets SO_REUSEPORT. That option lets any
// process of the same user share the port: a second instance started by mistake,
// or a port found by chance, would silently get half of the clients.
func listenSockets(addr netip.AddrPort, n int, options []option) (fds []int32, bound netip.AddrPort, err error) {
	bound = addr
	for range n {
		fd, err := listenSocket(&bound, len(fds) > 0, options)
		if err != nil {
			for _, fd := range fds {
				closeSocket(fd)
			}
			return nil, bound, fmt.Errorf("listening on %v: %w", addr, WithRemedy(err, addr))
		}
		fds = append(fds, fd)
	}
	return fds, bound, nil
}

// listenSocket makes one of them, and updates addr to the address it has; shared:
// another one is bound already.
func listenSocket(addr *netip.AddrPort, shared bool, options []option) (int32, error) {
	sa, err := newSockaddr(*addr)
	if err != nil {
		return -1, err
	}
	fd, errno := newSocket(sa.family())
	if errno != 0 {
		return -1, os.NewSyscallError("socket", errno)
	}
	if err := startListening(fd, &sa, shared, options); err != nil {
		closeSocket(fd)
		return -1, err
	}
	*addr = sa.addrPort()
	return fd, nil
}

// startListening updates sa to the address that fd has.
func startListening(fd int32, sa *sockaddr, shared bool, options []option) error {
	// An IPv6 address serves IPv6 only, so that [::] and 0.0.0.0 can be two listeners.
	if sa.family() == unix.AF_INET6 {
		options = append([]option{{unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1}}, options...)
	}
	// Connections of an earlier run that are still in TIME_WAIT do not matter.
	options = append([]option{{unix.SOL_SOCKET, unix.SO_REUSEADDR, 1}}, options...)
	if err := setOptions(fd, options); err != nil {
		return err
	}
	if err := bindShared(fd, sa, shared); err != nil {
		return err
	}
	if err := unix.Listen(int(fd), backlog); err != nil {
		return os.NewSyscallError("listen", err)
	}
	return errnoError("getsockname", localAddr(fd, sa))
}

// bindShared binds fd and lets further sockets of this process be bound there.
func bindShared(fd int32, sa *sockaddr, shared bool) error {
	reusePort := func() error {
		return errnoError("setsockopt SO_REUSEPORT", setOption(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1))
	}
	if shared {
		if err := reusePort(); err != nil {
			return err
		}
		return errnoError("bind", bind(fd, sa))
	}
	if err := errnoError("bind", bind(fd, sa)); err != nil {
		return err
	}
	return reusePort()
}

// errnoError is os.NewSyscallError for an Errno, whose 0 is not a nil error.
func errnoError(call string, errno syscall.Errno) error {
	if errno == 0 {
		return nil
	}
	return os.NewSyscallError(call, errno)
}
