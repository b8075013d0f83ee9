package relay

import "github.com/nspiproxy/nspiproxy/rpcparse"

// applyVerdict does everything that a verdict on a PDU of s asks for, except for
// forwarding the PDU. It returns false when the connection is closing, so that no
// further PDU may be handled.
func (c *Conn) applyVerdict(s *side, v Verdict) bool {
	c.inject(&c.client, v.ToClient)
	c.inject(&c.server, v.ToServer)
	switch v.Action {
	case Close:
		c.close(CloseReason{Cause: CauseVerdict, Err: v.Err})
		return false
	case Hold:
		s.pending = true
		if s == &c.server && c.timer.class == timerTail {
			c.loop.timers.stop(c) // it is no longer the client for which the server's end waits
		}
	}
	return true
}

// resumePending has the handler asked about the pending PDUs.
func (c *Conn) resumePending() {
	any := false
	for _, s := range c.sides() {
		s.resuming = s.pending
		any = any || s.pending
	}
	if any {
		c.loop.drive(c)
	}
}

// inject sends whole PDUs of the handler, each by a write of its own. Nothing can be
// sent behind the end of a stream, or into a stream that does not consist of PDUs.
func (c *Conn) inject(to *side, pdus []byte) {
	if to.shut || c.passThrough {
		return
	}
	for len(pdus) > 0 {
		n := len(pdus)
		if h, err := rpcparse.ParseHeader(pdus); err == nil {
			n = min(n, int(h.FragLength))
		}
		c.send(to, pdus[:n])
		c.counters(to).injected.Add(1)
		pdus = pdus[n:]
	}
}

// malformed handles the end of framing: b, which s sent, does not start with a PDU.
// It returns the bytes to buffer, which are none.
func (c *Conn) malformed(s *side, b []byte, err error) (rest []byte) {
	if !c.framed && b[0] != rpcVersion {
		c.notRPC(s, b, err)
		return nil
	}
	cause := CauseClientMalformed
	if s == &c.server {
		cause = CauseServerMalformed
	}
	if h, ok := c.handler.(StreamHandler); ok {
		c.inject(&c.client, h.Malformed(s.framer.Dir, b, err))
	}
	c.close(CloseReason{Cause: cause, Err: err})
	return nil
}

// rpcVersion is the first byte of every connection-oriented PDU (C706 12.6.3.1).
const rpcVersion = 5

// notRPC handles a connection that does not begin with DCE/RPC.
func (c *Conn) notRPC(s *side, b []byte, err error) {
	if c.loop.group.options.NonRPC == CloseNonRPC {
		c.close(CloseReason{Cause: CauseNotRPC, Err: err})
		return
	}
	c.passThrough = true
	c.HandshakeDone()
	if h, ok := c.handler.(StreamHandler); ok {
		h.NotRPC(s.framer.Dir)
	}
	c.send(c.other(s), b)
	for _, s := range c.sides() { // the other side may have sent what looked like the start of a PDU
		if s.in != nil {
			c.send(c.other(s), s.in.bytes())
			c.loop.pool.release(s.in)
			s.in = nil
		}
	}
}
