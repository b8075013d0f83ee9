package relay

import "syscall"

// sides returns both sides.
func (c *Conn) sides() [2]*side { return [...]*side{&c.client, &c.server} }

// settle passes the ends of the streams on, and finishes the connection when both
// have ended.
func (c *Conn) settle() {
	if c.state != stateOpen {
		return
	}
	for _, s := range c.sides() {
		// What a dead side sent before has been forwarded, or cannot be any more.
		if s.dead && (!s.readable || !c.mayRead(s)) {
			c.connectionLost(s, takeError(s.fd))
			return
		}
	}
	if c.ended(&c.client) && c.ended(&c.server) && c.client.out == nil && c.server.out == nil {
		c.finish(CloseReason{Cause: CauseEnd}, false)
		return
	}
	for _, s := range c.sides() {
		if c.ended(s) {
			c.end(c.other(s))
		}
	}
	switch {
	case c.ended(&c.server):
		c.serverEnded()
	case c.server.final && c.client.out != nil && (!c.server.pending || c.server.resuming) && c.isFree():
		// The server's end has not been read yet, because the client does not read
		// what was sent before it.
		c.loop.timers.start(c, timerTail, c.loop.now())
	}
}

// serverEnded handles the end of the server's stream, after which the connection is
// of no use. The client has time to read what came before (timerTail) and then to
// end its own stream (timerDrain). When it does neither, the connection is closed.
func (c *Conn) serverEnded() {
	if !c.serverClosed {
		c.serverClosed = true
		c.loop.timers.start(c, timerTail, c.loop.now())
		if h, ok := c.handler.(StreamHandler); ok {
			h.ServerEnded()
		}
	}
	if c.timer.class == timerTail && c.client.out == nil {
		c.loop.timers.start(c, timerDrain, c.loop.now())
	}
}

// ended reports whether the stream of s has ended and all of it has been handled,
// but for an incomplete PDU at its end, which is discarded.
func (c *Conn) ended(s *side) bool { return s.eof && !s.backlog }

// end ends the stream to s, once everything before the end has been sent.
func (c *Conn) end(s *side) {
	if s.out == nil && !s.shut {
		s.shut = true
		shutdownWrite(s.fd)
	}
}

// connectionLost ends the connection because s was reset or is unreachable. The
// other side is reset as well.
func (c *Conn) connectionLost(s *side, errno syscall.Errno) {
	cause := CauseClientReset
	if s == &c.server {
		cause = CauseServerReset
	}
	call := "read"
	if errno == 0 { // the kernel reports an error once, and a write has had it
		call, errno = "write", syscall.Errno(s.writeErr)
	}
	c.finish(CloseReason{Cause: cause, Err: errnoError(call, errno)}, true)
}

// timeout handles the end of c's timer.
func (c *Conn) timeout(class timerClass) {
	switch class {
	case timerFirst:
		c.unanswered()
	case timerConnect:
		c.dialAgain(timerLast)
	case timerLast:
		c.redial(CloseReason{Cause: CauseDialTimeout})
	case timerHandshake:
		if c.state == stateArriving {
			c.finish(CloseReason{Cause: CauseHandshakeTimeout}, true)
			return
		}
		c.close(CloseReason{Cause: CauseHandshakeTimeout})
		c.drain()
	case timerSession:
		c.sessionAwaited()
	case timerPart:
		c.close(CloseReason{Cause: CausePartTimeout})
		c.drain()
	case timerTail:
		c.finish(c.reason, true) // reset: the client must not take what it got for the whole stream
	case timerDrain:
		if c.client.out != nil { // a slow client still gets what was accepted for it
			c.loop.timers.start(c, timerTail, c.loop.now())
			return
		}
		c.finish(c.reason, false)
	}
}

// close begins to close the connection; drain does the work. Both streams are ended
// behind the bytes already accepted. What the peers still send is read and
// discarded, because closing a socket with unread bytes sends a reset, and a reset
// may destroy bytes that the peer has not read yet.
func (c *Conn) close(r CloseReason) {
	c.state, c.reason = stateClosing, r
	for _, s := range c.sides() {
		c.loop.pool.release(s.in)
		s.in, s.backlog, s.pending, s.resuming = nil, false, false, false
		s.readable, s.final = !s.eof, true
	}
	c.loop.timers.start(c, timerDrain, c.loop.now())
}

// drain goes on with closing, until both streams have ended in both directions.
func (c *Conn) drain() {
	done := true
	for _, s := range c.sides() {
		c.flush(s)
		if s.out == nil && !s.shut {
			c.end(s)
			c.loop.timers.start(c, timerDrain, c.loop.now())
		}
		c.discard(s)
		if s.out != nil || !s.eof {
			done = false
		}
	}
	if done {
		c.finish(c.reason, false)
	}
}

// discard reads and forgets what s still sends.
func (c *Conn) discard(s *side) {
	for s.readable {
		b, errno := c.receive(s)
		if errno != 0 {
			c.loop.pool.release(s.out)
			s.out, s.dead, s.eof = nil, true, true
			return
		}
		if len(b) == readSize {
			c.loop.requeue(c)
			return
		}
	}
}

// finish closes both sockets, with a reset if asked for, and calls Handler.Closed.
// Only the first call has an effect.
//
// A server that is gone (CauseServerGone) is sent the end of the stream instead of a
// reset. A reset is sent once; the end is repeated by the kernel for about a minute
// (tcp_orphan_retries), so that a server that becomes reachable again meanwhile ends
// its sessions.
func (c *Conn) finish(r CloseReason, reset bool) {
	if c.state == stateGone {
		return
	}
	l := c.loop
	if h, ok := c.handler.(DialHandler); ok && c.state == stateDialing && r.Cause == CauseClientReset {
		h.ClientLeft(c.dialledFor())
	}
	c.state = stateGone
	c.setWaiting(false)
	if c.crowded {
		l.group.crowd.leave(c.origin.addr())
	}
	l.kept -= int(c.kept)
	c.kept = 0
	l.timers.stop(c)
	l.slots.release(c.slot)
	for _, s := range c.sides() {
		l.pool.release(s.in)
		l.pool.release(s.out)
		s.in, s.out = nil, nil
		switch {
		case s.fd < 0: // there is no socket yet
		case reset && (s == &c.client || r.Cause != CauseServerGone):
			resetSocket(s.fd)
		default:
			closeSocket(s.fd)
		}
	}
	if c.record != 0 && (!c.moved || r.Cause != CauseShutdown) { // else its server has not heard of the end
		l.group.options.Record.Clear(c.record)
	}
	l.active--
	l.group.active.Add(-1)
	l.counters.closed[r.Cause].Add(1)
	l.counters.ended.Add(1)
	c.reportEnd(r)
}

// reportEnd reports the end to the handler or, if there has never been one, to
// ListenOptions.Unrouted.
func (c *Conn) reportEnd(r CloseReason) {
	h := c.handler
	c.handler = nil
	switch {
	case h != nil:
		h.Closed(r)
	case c.listener.options.Unrouted != nil && (c.attempts == 0 || r.Cause == CausePanic):
		c.listener.options.Unrouted(c, r)
	}
}
