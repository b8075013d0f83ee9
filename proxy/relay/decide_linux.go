package relay

import "errors"

// errQueueFull is why a decision's PDUs end a connection.
var errQueueFull = errors.New("the peer does not read, and more PDUs are to be sent to it")

// Decide has d decide on this connection, soon and once. It may be called from any
// goroutine, at any time, also from inside a handler, and never waits for the loop.
// Decisions on one connection are taken in the order of the calls.
//
// True: d will be called, unless the connection ends or is being closed before. In
// a connection whose server is not reached it may be the next attempt's handler
// that it is called with. False: the group is shut down, or too many decisions
// wait already (maxDecisions); d will not be called.
func (c *Conn) Decide(d Decision) bool {
	if c.decisions.Add(1) > maxDecisions {
		c.decisions.Add(-1)
		return false
	}
	return c.loop.mailbox.post(message{op: opDecide, conn: c, decide: d})
}

// DecideAll has d decide on every connection, as Decide does on one: on the loops,
// concurrently, some connections in each turn. It never waits for them.
//
// d is called with every handler that has been made by now and has not ended when
// its turn comes. What d is meant to bring about must hold for new handlers before
// the call; one that is made meanwhile may be asked as well.
//
// False: nothing is done, because maxDecideAlls calls are under way.
func (g *Group) DecideAll(d Decision) bool {
	loops := int64(len(g.loops))
	if g.deciding.Add(loops) > maxDecideAlls*loops {
		g.deciding.Add(-loops)
		return false
	}
	for _, l := range g.loops {
		if !l.mailbox.post(message{op: opSweep, sweep: &sweep{decide: d}}) {
			g.deciding.Add(-1) // it has ended, and all its connections
		}
	}
	return true
}

// decide asks d and does what it says.
func (c *Conn) decide(d Decision) {
	if c.handler == nil { // not yet made, or told of its end
		return
	}
	switch c.state {
	case stateDialing:
		if v := d(c.handler); v.Action == Close {
			c.finish(CloseReason{Cause: CauseVerdict, Err: v.Err}, true)
		}
	case stateOpen:
		c.carryOut(d(c.handler))
		c.drive()
	}
}

// carryOut is obey for a verdict that is not on a PDU.
func (c *Conn) carryOut(v Verdict) {
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

// full says that s has to take what waits for it before it gets pdus.
func full(s *side, pdus []byte) bool { return len(pdus) > 0 && waiting(s.out) > maxQueued }
