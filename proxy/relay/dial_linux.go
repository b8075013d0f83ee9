package relay

import (
	"os"

	"golang.org/x/sys/unix"
)

// dial makes the handler and starts the connection to the server. The client is
// not read until that is there: its bytes wait in its socket.
func (c *Conn) dial() {
	l := c.loop
	if c.handler = c.listener.newHandler(c); c.handler == nil {
		c.finish(CloseReason{Cause: CauseRefused}, true)
		return
	}
	if err := c.connect(); err != nil {
		c.finish(CloseReason{Cause: CauseDialFailed, Err: err}, true)
		return
	}
	l.timers.start(c, timerConnect, l.now())
}

// connect arms both sockets.
func (c *Conn) connect() error {
	l, to := c.loop, &c.listener.to
	fd, errno := newSocket(to.family())
	if errno != 0 {
		return os.NewSyscallError("socket", errno)
	}
	c.server.fd = fd
	if err := setOptions(fd, l.group.stream); err != nil {
		return err
	}
	if errno = connect(fd, to); errno != 0 && errno != unix.EINPROGRESS {
		return os.NewSyscallError("connect", errno)
	}
	if err := l.poller.add(fd, streamEvents, l.slots.key(c.slot, true)); err != nil {
		return err
	}
	return l.poller.add(c.client.fd, streamEvents, l.slots.key(c.slot, false))
}

// dialed looks what has become of the attempt.
func (c *Conn) dialed() {
	switch {
	case c.server.dead:
		c.finish(CloseReason{Cause: CauseDialFailed, Err: errnoError("connect", takeError(c.server.fd))}, true)
	case c.client.dead:
		c.finish(CloseReason{Cause: CauseClientReset, Err: errnoError("read", takeError(c.client.fd))}, true)
	case c.server.writable:
		c.state = stateOpen
		c.loop.timers.start(c, timerHandshake, c.loop.now())
	}
}
