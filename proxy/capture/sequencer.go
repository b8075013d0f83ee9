package capture

import (
	"bytes"
	"slices"
	"time"
)

// piece is the payload of one TCP segment, or the part of it that is new.
type piece struct {
	seq   uint32
	data  []byte
	cut   int       // bytes behind data that were sent, but not captured
	frame int       // that carried it
	time  time.Time // of that frame
	start bool      // data begins where a segment began
	ahead bool      // it acknowledges bytes that were not captured by then
}

// size returns the sequence numbers that p covers.
func (p *piece) size() int { return len(p.data) + p.cut }

// cost is what p counts for while it is kept, in bytes.
func (p *piece) cost() int { return len(p.data) + pieceOverhead }

// after drops the first n sequence numbers of p.
func (p *piece) after(n int) {
	p.start = false
	p.seq += uint32(n)
	k := min(n, len(p.data))
	p.data = p.data[k:]
	p.cut -= n - k
}

// unknown as a number of lost bytes: nobody can tell how many.
const unknown = -1

// sequencer puts the pieces of one direction of a connection into the order of
// their sequence numbers. What comes twice is dropped the second time. Behind a
// hole pieces wait, until it is filled or given up.
type sequencer struct {
	moved   bool   // there was payload
	known   bool   // next is valid: something of this direction was seen
	next    uint32 // sequence number of the byte to come
	acked   uint32 // highest acknowledgement of the other side
	ackSeen bool
	waiting []*piece // behind the hole at next, by sequence number; they may overlap
	kept    int      // what they cost
}

// deliverer takes pieces in order. lost bytes are missing before p.
type deliverer func(p piece, lost int)

// expect notes that the next byte has number seq, unless that is known already.
func (s *sequencer) expect(seq uint32) {
	if !s.known {
		s.known, s.next = true, seq
	}
}

// begin notes a SYN, behind which the next byte has number seq, and reports
// whether the direction begins with it. A server may answer again with another
// number as long as it has sent nothing else.
func (s *sequencer) begin(seq uint32) bool {
	if s.moved {
		return false
	}
	s.known, s.next = true, seq
	return true
}

// add takes one piece, which is kept only as a copy.
func (s *sequencer) add(p piece, deliver deliverer) {
	s.expect(p.seq)
	if p.size() == 0 {
		return
	}
	s.moved = true
	ahead := int(int32(p.seq - s.next))
	if ahead > maxJump || ahead < -maxJump {
		// No window is that large: the ports are used by another connection,
		// whose beginning was not captured.
		s.abandon(p.seq, deliver)
		s.pass(p, unknown, deliver)
		return
	}
	if ahead > 0 {
		s.wait(p)
		return
	}
	s.pass(p, 0, deliver)
	s.drain(deliver)
}

// pass delivers what is new in a piece that does not begin behind next.
func (s *sequencer) pass(p piece, lost int, deliver deliverer) {
	old := int(int32(s.next - p.seq))
	if old >= p.size() {
		return
	}
	if old > 0 {
		p.after(old)
	}
	s.next += uint32(p.size())
	deliver(p, lost)
}

// wait keeps a piece that lies behind a hole.
func (s *sequencer) wait(p piece) {
	i := len(s.waiting)
	for i > 0 && int32(s.waiting[i-1].seq-p.seq) > 0 {
		i--
	}
	if i > 0 {
		if q := s.waiting[i-1]; q.seq == p.seq && q.size() >= p.size() {
			return // the same again
		}
	}
	p.data = bytes.Clone(p.data)
	s.waiting = slices.Insert(s.waiting, i, &p)
	s.kept += p.cost()
}

// drain delivers what waits and can be delivered now.
func (s *sequencer) drain(deliver deliverer) {
	n := 0
	for ; n < len(s.waiting) && int32(s.waiting[n].seq-s.next) <= 0; n++ {
		p := s.waiting[n]
		s.kept -= p.cost()
		s.pass(*p, 0, deliver)
	}
	s.waiting = slices.Delete(s.waiting, 0, n)
	if len(s.waiting) == 0 {
		s.waiting = nil
	}
}

// hole reports whether something waits.
func (s *sequencer) hole() bool { return len(s.waiting) > 0 }

// giveUp goes on behind the hole.
func (s *sequencer) giveUp(deliver deliverer) {
	if !s.hole() {
		return
	}
	p := s.waiting[0]
	s.waiting[0] = nil
	s.waiting = s.waiting[1:]
	s.kept -= p.cost()
	lost := int(p.seq - s.next)
	s.next = p.seq
	s.pass(*p, lost, deliver)
	s.drain(deliver)
}

// abandon delivers all that waits, whatever is missing, and expects seq.
func (s *sequencer) abandon(seq uint32, deliver deliverer) {
	for s.hole() {
		s.giveUp(deliver)
	}
	s.next, s.ackSeen = seq, false
}

// acknowledge notes what the other side says it has received.
func (s *sequencer) acknowledge(ack uint32) {
	if !s.ackSeen || int32(ack-s.acked) > 0 {
		s.acked, s.ackSeen = ack, true
	}
}

// missed reports whether the other side's acknowledgement of ack is for bytes
// that were not captured so far. A FIN counts like a byte.
func (s *sequencer) missed(ack uint32, finished bool) bool {
	ahead := int32(ack - s.next)
	return s.known && ahead > 0 && ahead <= maxJump && (!finished || ahead > 1)
}

// lost reports whether bytes at next were received by the other side, so that
// they will not be sent again.
func (s *sequencer) lost() bool {
	return s.hole() && s.ackSeen && int32(s.acked-s.next) > 0
}
