package relay

import (
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// maxEvents is how many events one wait returns at most. Sockets are armed
// edge-triggered, so what does not fit is returned by the next one.
const maxEvents = 256

// poller is an epoll instance.
//
// Sockets of connections are added once, for all events, edge-triggered, and never
// modified. So it costs no system call to leave a side unread, and an unread socket
// whose peer is gone does not wake the loop again and again. The owner of an event
// records it (side.note) until a call returns EAGAIN.
type poller struct {
	fd     int
	busy   bool // the last wait has returned more than one event
	events [maxEvents]unix.EpollEvent
}

// streamEvents are the events of a connection's sockets. Errors are always reported.
const streamEvents = unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLET

func newPoller() (*poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	return &poller{fd: fd}, nil
}

// add arms fd; its events carry k.
func (p *poller) add(fd int32, events uint32, k key) error {
	return p.control(unix.EPOLL_CTL_ADD, fd, events, k)
}

// modify changes what fd is armed for.
func (p *poller) modify(fd int32, events uint32, k key) error {
	return p.control(unix.EPOLL_CTL_MOD, fd, events, k)
}

func (p *poller) control(op int, fd int32, events uint32, k key) error {
	ev := unix.EpollEvent{Events: events, Fd: k.slot, Pad: k.check}
	_, _, errno := syscall.RawSyscall6(unix.SYS_EPOLL_CTL, uintptr(p.fd), uintptr(op), uintptr(fd), uintptr(unsafe.Pointer(&ev)), 0, 0)
	return errnoError("epoll_ctl", errno)
}

// wait returns the events that have happened. If there are none, it waits for at most
// timeout; a negative timeout means without a limit.
//
// To wait it uses an ordinary system call, so that the Go runtime can use the
// processor, and stop the world, meanwhile. When the last wait has returned more than
// one event, there are probably more by now, and a raw call that does not wait is
// tried first, which is cheaper.
func (p *poller) wait(timeout time.Duration) []unix.EpollEvent {
	var n uintptr
	var errno syscall.Errno
	if p.busy || timeout == 0 {
		n, _, errno = syscall.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(p.fd), uintptr(unsafe.Pointer(&p.events)), maxEvents, 0, 0, 0)
	}
	if errno == 0 && n == 0 && timeout != 0 {
		n, _, errno = syscall.Syscall6(unix.SYS_EPOLL_PWAIT, uintptr(p.fd), uintptr(unsafe.Pointer(&p.events)), maxEvents, uintptr(milliseconds(timeout)), 0, 0)
	}
	if errno != 0 {
		n = 0 // EINTR; no other error is possible for a good epoll instance
	}
	p.busy = n > 1
	return p.events[:n]
}

// milliseconds rounds up: waking too early would spin until the time has come.
func milliseconds(d time.Duration) int {
	if d < 0 {
		return -1
	}
	return int(min((d+time.Millisecond-1)/time.Millisecond, 1<<30))
}

func (p *poller) close() { _ = unix.Close(p.fd) }
