package relay

import "github.com/nspiproxy/nspiproxy/rpcparse"

// mayRead reports whether bytes of s may be handled now.
func (c *Conn) mayRead(s *side) bool {
	return c.other(s).out == nil && waiting(s.out) <= maxQueued && (!s.pending || s.resuming)
}

// pump forwards what s has sent, while the other side takes it.
func (c *Conn) pump(s *side) {
	if s.backlog && c.state == stateOpen && c.mayRead(s) {
		c.resume(s)
	}
	for s.readable && !s.backlog && c.state == stateOpen && c.mayRead(s) {
		b, errno := c.receive(s)
		if errno != 0 {
			c.connectionLost(s, errno)
			return
		}
		if len(b) == 0 {
			continue
		}
		c.handle(s, len(b))
		if len(b) == readSize && s.readable { // there is more; other connections come first
			c.loop.requeue(c)
			return
		}
	}
}

// handle forwards the n bytes of s that were read into the loop's buffer, preceded by
// the buffered ones, and buffers an incomplete PDU at their end.
func (c *Conn) handle(s *side, n int) {
	l := c.loop
	b := l.buf[headroom : headroom+n]
	c.heard = c.heard || s == &c.client
	if c.passThrough {
		c.send(c.other(s), b)
		return
	}
	if s.in != nil {
		buffered := s.in.bytes()
		if n < s.framer.Need(buffered) {
			s.in = l.pool.append(s.in, b)
			return
		}
		start := headroom - len(buffered) // less than a PDU, which is less than the headroom
		copy(l.buf[start:], buffered)
		b = l.buf[start : headroom+n]
		l.pool.release(s.in)
		s.in = nil
		if s == &c.client {
			c.partDone()
		}
	}
	if rest := c.forward(s, b); len(rest) > 0 {
		s.in = l.pool.append(nil, rest)
	}
}

// resume goes on with the whole PDUs of the backlog.
func (c *Conn) resume(s *side) {
	b := s.in
	s.in, s.backlog = nil, false
	rest := c.forward(s, b.bytes())
	if len(rest) == 0 {
		c.loop.pool.release(b)
		return
	}
	b.read = len(b.data) - len(rest)
	s.in = b
}

// forward asks the handler about each whole PDU at the start of b and forwards what
// it lets through, adjacent PDUs in one write. It returns the bytes to buffer: an
// incomplete PDU, or PDUs that cannot be handled now (then s.backlog is set).
func (c *Conn) forward(s *side, b []byte) (rest []byte) {
	to, counters := c.other(s), c.counters(s)
	sent, at := 0, 0 // b[sent:at] is to be forwarded and not yet sent
	for at < len(b) {
		pdu, h, err := s.framer.Next(b[at:])
		if err != nil {
			c.send(to, b[sent:at])
			return c.malformed(s, b[at:], err)
		}
		if pdu == nil {
			break
		}
		v := c.ask(s, h, pdu)
		if h.Type == rpcparse.PTypeBind && v.Action == Forward && h.Last() {
			c.bindSent()
		}
		if v.Forwards() {
			at += len(pdu)
			counters.pdus.Add(1)
			continue
		}
		start := at
		if v.Action != Hold { // a pending PDU is counted when it is decided on
			at += len(pdu)
			counters.pdus.Add(1)
		}
		if v.Action == Forward {
			start = at
		}
		c.send(to, b[sent:start])
		sent = at
		if !c.applyVerdict(s, v) {
			return nil
		}
		if !c.mayRead(s) {
			s.backlog = at < len(b)
			return b[at:]
		}
	}
	c.send(to, b[sent:at])
	return b[at:]
}

// ask returns the handler's verdict on a PDU of s.
func (c *Conn) ask(s *side, h rpcparse.Header, pdu []byte) Verdict {
	c.framed = true
	switch {
	case s.pending:
		s.pending, s.resuming = false, false
		return c.handler.Resume(s.framer.Dir, h, pdu)
	case s == &c.client:
		return c.handler.FromClient(h, pdu)
	case h.Type == rpcparse.PTypeBindAck:
		c.HandshakeDone()
	case h.Type == rpcparse.PTypeBindNak:
		c.bindRefused()
	}
	return c.handler.FromServer(h, pdu)
}
