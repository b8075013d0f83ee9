package relay

import (
	"time"

	"github.com/nspiproxy/nspiproxy/rpcparse"
)

// dial asks the Router where to connect to, and starts connecting. The client is not
// read until the server is connected; its bytes wait in its socket. When the Router
// knows no further server, the connection ends with the reason of the last attempt.
func (c *Conn) dial(failed CloseReason) {
	c.state = stateDialing
	for c.attempts < maxAttempts {
		r := c.listener.options.Route(c, int(c.attempts))
		c.attempts++
		if r.Handler == nil {
			break
		}
		c.handler, c.remote, c.brief = r.Handler, newEndpoint(r.Server), r.Brief
		c.foreign = r.Source.IsValid()
		err := c.connect(r)
		if err == nil {
			c.loop.timers.start(c, timerFirst, c.loop.now())
			return
		}
		failed = CloseReason{Cause: CauseDialFailed, Err: err}
		c.abandon(failed)
	}
	c.finish(failed, true)
}

// redial goes on with the next attempt, because the current one has failed.
func (c *Conn) redial(failed CloseReason) {
	c.abandon(failed)
	c.dial(failed)
}

// abandon ends an attempt, with the last call of its handler.
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

// unanswered goes on with the next attempt if this one was to be brief. Otherwise the
// server may yet answer: one with too much to do loses SYNs.
func (c *Conn) unanswered() {
	if o := &c.loop.group.options; c.brief || o.FailoverTimeout == o.ConnectTimeout {
		c.redial(CloseReason{Cause: CauseDialTimeout})
		return
	}
	c.loop.timers.start(c, timerConnect, c.loop.now())
	if h, ok := c.handler.(DialHandler); ok {
		h.Unanswered()
	}
}

// dialledFor returns how old the current attempt to connect is; 0: there is none.
func (c *Conn) dialledFor() time.Duration {
	lists, before := &c.loop.timers.lists, time.Duration(0)
	switch c.timer.class {
	case timerFirst:
	case timerConnect:
		before = lists[timerFirst].length
	case timerLast:
		before = lists[timerFirst].length + lists[timerConnect].length
	default:
		return 0
	}
	return c.loop.now() - c.timer.at + lists[c.timer.class].length + before
}

// dialAgain sends a new SYN and starts a timer: the kernel sends the next one of this
// attempt up to 16 s later.
func (c *Conn) dialAgain(class timerClass) {
	r := Route{Server: c.Server()}
	if c.foreign {
		r.Source = c.Client()
	}
	closeSocket(c.server.fd)
	c.server = newSide(-1, rpcparse.ServerToClient, c.loop.group.options.Limits)
	if err := c.connect(r); err != nil {
		c.redial(CloseReason{Cause: CauseDialFailed, Err: err})
		return
	}
	c.loop.timers.start(c, class, c.loop.now())
}

// connect starts the connection to the server and arms its socket.
func (c *Conn) connect(r Route) error {
	l := c.loop
	to, err := newSockaddr(r.Server)
	if err != nil {
		return err
	}
	options := noDelay
	if o := c.segmentOption(); o != nil {
		options = append(o, noDelay...)
	}
	if c.server.fd, err = connectFrom(r.Source, &to, options); err != nil {
		if isShortage(err) {
			l.counters.acceptErrors.Add(1)
		}
		return err
	}
	return l.poller.add(c.server.fd, streamEvents, l.slots.key(c.slot, true))
}

// dialed checks whether the attempt has succeeded or failed.
func (c *Conn) dialed() {
	switch {
	case c.client.dead:
		c.finish(CloseReason{Cause: CauseClientReset, Err: errnoError("read", takeError(c.client.fd))}, true)
	case c.server.dead:
		c.redial(CloseReason{Cause: CauseDialFailed, Err: errnoError("connect", takeError(c.server.fd))})
	case c.server.writable:
		c.state = stateOpen
		if h, ok := c.handler.(DialHandler); ok {
			h.Connected()
		}
		c.keep()
		c.loop.timers.start(c, timerHandshake, c.loop.now())
		c.loop.young.add(youngConn{key: c.loop.slots.key(c.slot, true), at: c.loop.now() + youngTime})
	}
}

// keep records the connection to the server.
func (c *Conn) keep() {
	r := c.loop.group.options.Record
	if r == nil {
		return
	}
	var local sockaddr
	if localAddr(c.server.fd, &local) == 0 {
		c.record = r.Put(local.addrPort(), c.remote.addrPort(), c.foreign)
	}
}
