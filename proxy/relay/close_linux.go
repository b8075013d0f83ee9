package relay

import "syscall"

// sides returns both, for what is done to either.
func (c *Conn) sides() [2]*side { return [...]*side{&c.client, &c.server} }

// settle carries the ends of the streams over, and ends the connection when both
// have ended.
func (c *Conn) settle() {
	if c.state != stateOpen {
		return
	}
	for _, s := range c.sides() {
		// All that a dead side sent before has been forwarded, or cannot be.
		if s.dead && (!s.readable || !c.mayRead(s)) {
			c.broken(s, takeError(s.fd))
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
		c.orphaned()
	case c.server.final && c.client.out != nil && (!c.server.held || c.server.resuming) && c.timer.class == timerOff:
		// The end cannot be read yet, because the client does not take what is before it.
		c.loop.timers.start(c, timerTail, c.loop.now())
	}
}

// orphaned deals with a connection whose server has ended its stream: nothing
// more can come of it. The client gets time to take what came before, and from
// then on to end its own stream; one that does neither may not keep it.
func (c *Conn) orphaned() {
	if !c.orphan {
		c.orphan = true
		c.loop.timers.start(c, timerTail, c.loop.now())
		if h, ok := c.handler.(StreamHandler); ok {
			h.ServerEnded()
		}
	}
	if c.timer.class == timerTail && c.client.out == nil {
		c.loop.timers.start(c, timerDrain, c.loop.now())
	}
}

// ended says whether the stream of s has ended and all of it has been handled.
// What is left then is an incomplete PDU, which nobody can do anything with.
func (c *Conn) ended(s *side) bool { return s.eof && !s.backlog }

// end sends the end of the stream to s, behind what waits for it.
func (c *Conn) end(s *side) {
	if s.out == nil && !s.shut {
		s.shut = true
		shutdownWrite(s.fd)
	}
}

// broken ends the connection because s was reset or is unreachable: so is the
// other side then.
func (c *Conn) broken(s *side, errno syscall.Errno) {
	cause := CauseClientReset
	if s == &c.server {
		cause = CauseServerReset
	}
	call := "read"
	if errno == 0 { // it can be asked for once, and a write has been told
		call, errno = "write", syscall.Errno(s.loss)
	}
	c.finish(CloseReason{Cause: cause, Err: errnoError(call, errno)}, true)
}

// timeout ends what took too long.
func (c *Conn) timeout(class timerClass) {
	switch class {
	case timerConnect:
		c.redial(CloseReason{Cause: CauseDialTimeout})
	case timerHandshake:
		if c.state == stateArriving {
			c.finish(CloseReason{Cause: CauseHandshakeTimeout}, true)
			return
		}
		c.close(CloseReason{Cause: CauseHandshakeTimeout})
		c.drain()
	case timerTail:
		c.finish(c.reason, true) // a reset, so that the client does not take what it has for all
	case timerDrain:
		if c.client.out != nil { // a slow client, which gets what was accepted for it
			c.loop.timers.start(c, timerTail, c.loop.now())
			return
		}
		c.finish(c.reason, false)
	}
}

// close ends both streams behind what has been accepted, and reads on without
// looking, because closing a socket with unread bytes is a reset, and a reset
// may destroy what the peer has not read yet. drain does the work.
func (c *Conn) close(r CloseReason) {
	c.state, c.reason = stateClosing, r
	for _, s := range c.sides() {
		c.loop.pool.release(s.in)
		s.in, s.backlog, s.held, s.resuming = nil, false, false, false
		s.readable, s.final = !s.eof, true
	}
	c.loop.timers.start(c, timerDrain, c.loop.now())
}

// drain goes on with closing; both sides have to be done with.
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

// discard reads what s still sends.
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

// finish closes both sockets, with a reset if told, and says so to the handler.
// The first reason counts.
//
// A reset is sent once. To a server that is gone the end of the stream is told
// instead, which the kernel repeats for a minute or so (tcp_orphan_retries): one
// that comes back meanwhile, as behind a cable that was mended, ends its sessions
// and does not keep them for nobody.
func (c *Conn) finish(r CloseReason, reset bool) {
	if c.state == stateGone {
		return
	}
	l := c.loop
	c.state = stateGone
	l.timers.stop(c)
	l.slots.release(c.slot)
	for _, s := range c.sides() {
		l.pool.release(s.in)
		l.pool.release(s.out)
		s.in, s.out = nil, nil
		switch {
		case s.fd < 0: // never made
		case reset && (s == &c.client || r.Cause != CauseServerGone):
			resetSocket(s.fd)
		default:
			closeSocket(s.fd)
		}
	}
	l.active--
	l.group.active.Add(-1)
	l.counters.closed[r.Cause].Add(1)
	l.counters.ended.Add(1)
	c.tell(r)
}

// tell tells the end to who can be told.
func (c *Conn) tell(r CloseReason) {
	h := c.handler
	c.handler = nil
	switch {
	case h != nil:
		h.Closed(r)
	case c.listener.options.Unrouted != nil && (c.attempts == 0 || r.Cause == CausePanic):
		c.listener.options.Unrouted(c, r)
	}
}
