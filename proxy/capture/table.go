package capture

import "net/netip"

// endpoints names a connection: both ends, the smaller first.
type endpoints [2]netip.AddrPort

// endpointsOf also returns which of the two sent the segment.
func endpointsOf(s *segment) (e endpoints, sender int) {
	if s.src.Compare(s.dst) <= 0 {
		return endpoints{s.src, s.dst}, 0
	}
	return endpoints{s.dst, s.src}, 1
}

// conn is one TCP connection.
type conn struct {
	ends    endpoints
	number  int // as Wireshark's tcp.stream
	base    [2]baseSeq
	reading *reading // nil: nothing of it is read
	foreign bool     // not DCE/RPC
	use     *use[*conn]
}

// baseSeq is the initial sequence number of one end, as far as it can be known.
type baseSeq struct {
	known bool
	seq   uint32
}

func (b *baseSeq) learn(seq uint32) {
	if !b.known {
		*b = baseSeq{known: true, seq: seq}
	}
}

// table finds the connection of a segment, and numbers connections as
// Wireshark 4.0 does: a SYN begins a new one unless its sequence number is the
// initial one of that end, or nothing is known about that end yet. Addresses
// and ports alone decide, VLANs and tunnels do not.
type table struct {
	conns  map[endpoints]*conn
	recent recency[*conn]
	count  int
	limit  int // of conns
}

// find returns the connection of s and which end sent it. dropped is one that
// s replaces, or that was forgotten to make room.
func (t *table) find(s *segment) (c *conn, sender int, dropped *conn) {
	ends, sender := endpointsOf(s)
	c = t.conns[ends]
	switch {
	case c == nil:
		if len(t.conns) >= t.limit {
			dropped = t.recent.oldest()
			t.forget(dropped)
		}
		c = t.open(ends)
	case s.opens() && c.base[sender].known && c.base[sender].seq != s.seq:
		dropped = c
		t.forget(c)
		c = t.open(ends)
	default:
		t.recent.touch(c.use)
	}
	if !s.quoted {
		c.learn(s, sender)
	}
	return c, sender, dropped
}

func (t *table) open(ends endpoints) *conn {
	if t.conns == nil {
		t.conns = make(map[endpoints]*conn)
	}
	c := &conn{ends: ends, number: t.count}
	c.use = t.recent.add(c)
	t.conns[ends] = c
	t.count++
	return c
}

func (t *table) forget(c *conn) {
	delete(t.conns, c.ends)
	t.recent.remove(c.use)
}

// learn takes the initial sequence numbers from a segment: of the sender from
// its own, of the receiver from what is acknowledged.
func (c *conn) learn(s *segment, sender int) {
	first := s.seq
	if !s.has(flagSYN) {
		first--
	}
	c.base[sender].learn(first)
	if s.has(flagACK) {
		c.base[1-sender].learn(s.ack - 1)
	}
}
