package relay

import "errors"

// errQueueFull is why a decision's PDUs end a connection.
var errQueueFull = errors.New("the peer does not read, and more PDUs are to be sent to it")

// Decide has d called once, in the next turn of the connection's loop. It may be
// called from any goroutine, at any time, also from inside a handler, and never waits
// for the loop. Decisions on one connection are taken in the order of the calls.
//
// When it returns true, d will be called unless the connection is closed before; if
// the server is not reached meanwhile, with the handler of the next attempt. When it
// returns false, d will not be called, because the group is shut down or too many
// decisions are waiting (maxDecisions).
func (c *Conn) Decide(d Decision) bool {
	if c.decisions.Add(1) > maxDecisions {
		c.decisions.Add(-1)
		return false
	}
	return c.loop.mailbox.post(message{op: opDecide, conn: c, decide: d})
}

// DecideAll has d called for every connection, as Decide does for one: on the loops,
// concurrently, for some connections in each turn. It does not wait for them.
//
// d is called with every handler that exists now and still does when its turn comes.
// It may be called with handlers that are made meanwhile, but need not be: what a
// Decision enforces must apply to new handlers before DecideAll is called.
//
// When it returns false, nothing is done, because maxDecideAlls calls are under way.
func (g *Group) DecideAll(d Decision) bool {
	loops := int64(len(g.loops))
	if g.deciding.Add(loops) > maxDecideAlls*loops {
		g.deciding.Add(-loops)
		return false
	}
	for _, l := range g.loops {
		if !l.mailbox.post(message{op: opSweep, sweep: &sweep{decide: d}}) {
			g.deciding.Add(-1) // the loop has ended, and so have its connections
		}
	}
	return true
}

// End ends the connection on both sides, as a verdict does that closes it. It may be
// called from any goroutine and does not wait.
func (c *Conn) End(why error) {
	c.Decide(func(Handler) Verdict { return Verdict{Action: Close, Err: why} })
}

// decide calls d and does what its verdict asks for.
func (c *Conn) decide(d Decision) {
	if c.handler == nil { // there is none yet, or it has had its last call
		return
	}
	switch c.state {
	case stateDialing:
		if v := d(c.handler); v.Action == Close {
			c.finish(CloseReason{Cause: CauseVerdict, Err: v.Err}, true)
		}
	case stateOpen:
		c.applyDecision(d(c.handler))
		c.drive()
	}
}

// applyDecision is applyVerdict for a verdict that is not on a PDU.
func (c *Conn) applyDecision(v Verdict) {
	if full(&c.client, v.ToClient) || full(&c.server, v.ToServer) {
		c.finish(CloseReason{Cause: CauseVerdict, Err: errors.Join(v.Err, errQueueFull)}, true)
		return
	}
	c.inject(&c.client, v.ToClient)
	c.inject(&c.server, v.ToServer)
	if v.Action == Close {
		c.close(CloseReason{Cause: CauseVerdict, Err: v.Err})
	}
}

// full reports whether too many bytes are waiting for s to add pdus to them.
func full(s *side, pdus []byte) bool { return len(pdus) > 0 && waiting(s.out) > maxQueued }
