package relay

import "github.com/nspiproxy/nspiproxy/rpcparse"

// obey does what a verdict on a PDU of s asks for beyond forwarding. False: the
// connection is closing, and nothing of the streams is handled any more.
func (c *Conn) obey(s *side, v Verdict) bool {
	c.inject(&c.client, v.ToClient)
	c.inject(&c.server, v.ToServer)
	switch v.Action {
	case Close:
		c.close(CloseReason{Cause: CauseVerdict, Err: v.Err})
		return false
	case Hold:
		s.held = true
		if s == &c.server && c.timer.class == timerTail {
			c.loop.timers.stop(c) // not the client's fault any more that the server's end is not read
		}
	}
	return true
}

// awake has the handler asked about what is held.
func (c *Conn) awake() {
	held := false
	for _, s := range c.sides() {
		s.resuming = s.held
		held = held || s.held
	}
	if held {
		c.loop.drive(c)
	}
}

// inject sends whole PDUs of the handler's, each by a write of its own. Nothing can
// follow the end of a stream, and among bytes that are no PDUs there is no place.
func (c *Conn) inject(to *side, pdus []byte) {
	if to.shut || c.bare {
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

// malformed ends framing: b, of s, does not start with a PDU. It returns what is
// to be kept of b: nothing.
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

// notRPC deals with a connection that has not started like DCE/RPC.
func (c *Conn) notRPC(s *side, b []byte, err error) {
	if c.loop.group.options.NonRPC == CloseNonRPC {
		c.close(CloseReason{Cause: CauseNotRPC, Err: err})
		return
	}
	c.bare = true
	c.HandshakeDone()
	if h, ok := c.handler.(StreamHandler); ok {
		h.NotRPC(s.framer.Dir)
	}
	c.send(c.other(s), b)
	for _, s := range c.sides() { // the other side may have sent the start of a PDU
		if s.in != nil {
			c.send(c.other(s), s.in.bytes())
			c.loop.pool.release(s.in)
			s.in = nil
		}
	}
}
