package relay

// maxShed is how many connections a loop closes in one turn because they keep too much: finding one
// goes through all of them.
const maxShed = 4

// Keeps tells how many bytes the handler keeps for the connection, and whether a part of
// them waits for its client to go on. It is called on the loop.
func (c *Conn) Keeps(bytes int, unfinished bool) {
	c.loop.kept += bytes - int(c.kept)
	c.kept = int32(bytes)
	if c.unfinished = unfinished; !unfinished {
		c.partDone()
	}
}

// weight is how many bytes are kept for the connection, in buffers and by its handler.
func (c *Conn) weight() int {
	n := int(c.kept)
	for _, s := range c.sides() {
		for _, b := range [...]*buffer{s.in, s.out} {
			if b != nil {
				n += cap(b.data)
			}
		}
	}
	return n
}

// shed closes the connections that keep most while all of the loop's together keep more than its
// share. Connections of its own kind that keep nothing are not touched.
func (l *loop) shed() {
	keeps := l.kept + l.pool.used
	for n := 0; n < maxShed && keeps > l.maxKept; n++ {
		worst := l.heaviest()
		if worst == nil {
			break
		}
		l.current = worst
		worst.finish(CloseReason{Cause: CauseMemory}, true)
		l.current = nil
		keeps = l.kept + l.pool.used
	}
	if keeps != l.published {
		l.published = keeps
		l.counters.kept.Store(int64(keeps))
	}
}

// heaviest returns the connection for which most is kept, nil if nothing is for any.
func (l *loop) heaviest() (worst *Conn) {
	most := 0
	for i := range l.slots.all {
		if c := l.slots.all[i].conn; c != nil && c.state != stateBroken {
			if n := c.weight(); n > most {
				worst, most = c, n
			}
		}
	}
	return worst
}

// timePart has the client's timer run while it owes the rest of a PDU, or of what its handler has
// begun to keep, and is read.
func (c *Conn) timePart() {
	owes := (c.client.in != nil && !c.client.backlog || c.unfinished) && c.mayRead(&c.client)
	heard := c.heard
	c.heard = false
	switch t := &c.loop.timers; {
	case !c.isFree(), c.timer.class == timerPart && owes:
	case owes:
		t.start(c, timerPart, c.loop.now())
	case c.awaits && (heard || c.timer.class != timerSession):
		t.start(c, timerSession, c.loop.now())
	case c.timer.class == timerPart:
		t.stop(c)
	}
}

// AwaitSession has the connection closed when its client has sent nothing for Options.SessionTimeout and its
// handler says then that it has never been of use (SessionHandler). It is called on the loop.
func (c *Conn) AwaitSession() { c.awaits = true }

// sessionAwaited ends a connection that has never been of use.
func (c *Conn) sessionAwaited() {
	h, ok := c.handler.(SessionHandler)
	if c.awaits = ok && h.Sessionless(); c.awaits {
		c.close(CloseReason{Cause: CauseNoSession})
		c.drain()
	}
}

// partDone notes that a PDU of the client has come to its end: the next one has its own time, unless the
// handler waits for more.
func (c *Conn) partDone() {
	if c.timer.class == timerPart && !c.unfinished {
		c.loop.timers.stop(c)
	}
}

// isFree reports whether the connection's timer is not needed for what must end it.
func (c *Conn) isFree() bool {
	return c.timer.class == timerOff || c.timer.class == timerPart || c.timer.class == timerSession
}
