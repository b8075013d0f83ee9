package relay

import "github.com/nspiproxy/nspiproxy/rpcparse"

// dial asks where to connect to, and starts that. The client is not read until
// the server is there: its bytes wait in its socket. When nothing is left to try,
// the connection ends for the reason that the attempt before failed for.
func (c *Conn) dial(failed CloseReason) {
	c.state = stateDialing
	for c.attempts < maxAttempts {
		r := c.listener.options.Route(c, int(c.attempts))
		c.attempts++
		if r.Handler == nil {
			break
		}
		c.handler, c.remote = r.Handler, newEndpoint(r.Server)
		err := c.connect(r)
		if err == nil {
			c.loop.timers.start(c, timerConnect, c.loop.now())
			return
		}
		failed = CloseReason{Cause: CauseDialFailed, Err: err}
		c.abandon(failed)
	}
	c.finish(failed, true)
}

// redial goes on with the next attempt.
func (c *Conn) redial(failed CloseReason) {
	c.abandon(failed)
	c.dial(failed)
}

// abandon ends an attempt and tells its handler.
func (c *Conn) abandon(failed CloseReason) {
	c.loop.timers.stop(c)
	if c.server.fd >= 0 {
		closeSocket(c.server.fd)
	}
	c.server = newSide(-1, rpcparse.ServerToClient, c.loop.group.options.Limits)
	h := c.handler
	c.handler = nil
	h.Closed(failed)
}

// connect starts the connection to the server and arms its socket.
func (c *Conn) connect(r Route) error {
	l := c.loop
	to, err := newSockaddr(r.Server)
	if err != nil {
		return err
	}
	if c.server.fd, err = connectFrom(r.Source, &to, l.group.stream); err != nil {
		return err
	}
	return l.poller.add(c.server.fd, streamEvents, l.slots.key(c.slot, true))
}

// dialed looks what has become of the attempt.
func (c *Conn) dialed() {
	switch {
	case c.client.dead:
		c.finish(CloseReason{Cause: CauseClientReset, Err: errnoError("read", takeError(c.client.fd))}, true)
	case c.server.dead:
		c.redial(CloseReason{Cause: CauseDialFailed, Err: errnoError("connect", takeError(c.server.fd))})
	case c.server.writable:
		c.state = stateOpen
		c.loop.timers.start(c, timerHandshake, c.loop.now())
	}
}
