package capture

import (
	"errors"
	"io"
	"math"
)

// Reader finds the DCE/RPC PDUs in a capture file. It is not safe for
// concurrent use.
type Reader struct {
	// Note, if set, is called with what is worth knowing besides PDUs.
	Note func(Note)

	limits  limits
	frames  *frames
	decoder decoder
	table   table
	read    recency[*reading]
	holes   holes
	ready   order
	counts  Counts
	omitted omissions
	now     int // number of the frame in work
	kept    int // bytes under reassembly
	err     error
}

// NewReader reads the header of a pcap or pcapng file, which may be compressed
// with gzip, bzip2, zstd or xz. The error is a *[FileError].
func NewReader(r io.Reader) (*Reader, error) {
	f, err := openFrames(r)
	if err != nil {
		return nil, err
	}
	return newReader(f, defaultLimits), nil
}

func newReader(f *frames, l limits) *Reader {
	r := &Reader{frames: f, limits: l, omitted: omissions{}}
	r.table.limit, r.decoder.fragments.limit = l.connections, l.fragments
	return r
}

// Next returns the next PDU in the order of the frames that complete them. At
// the end of the file it returns [io.EOF], at a frame that cannot be read a
// *[FileError]; all PDUs before it have been returned by then.
func (r *Reader) Next() (*PDU, error) {
	for {
		if p, ok := r.ready.take(r.horizon()); ok {
			return p, nil
		}
		if r.err != nil {
			return nil, r.err
		}
		r.step()
	}
}

// Counts says what has been read so far.
func (r *Reader) Counts() Counts {
	c := r.counts
	c.Frames, c.Connections = r.now, r.table.count
	return c
}

// LeftOut says which frames could not be read so far, the most frequent kind first.
func (r *Reader) LeftOut() []LeftOut { return r.omitted.list(false) }

// Others says which frames were read so far and are not TCP, the most frequent kind first.
func (r *Reader) Others() []LeftOut { return r.omitted.list(true) }

// horizon returns the first frame that may still complete a PDU.
func (r *Reader) horizon() int {
	if r.err != nil {
		return math.MaxInt
	}
	if s, since := r.holes.oldest(); s != nil {
		return since
	}
	return r.now + 1
}

// step reads one frame.
func (r *Reader) step() {
	f, err := r.frames.next()
	if err != nil {
		r.finish()
		r.err = err
		if broken := r.omitted.unreadable(r.now); broken != nil && errors.Is(err, io.EOF) {
			r.err = &FileError{Err: broken}
		}
		return
	}
	r.now = f.number
	for s := r.holes.expired(r.now); s != nil; s = r.holes.expired(r.now) {
		r.giveUp(s)
	}
	if s, why, ok := r.decoder.decode(f); ok {
		r.segment(&s)
	} else {
		r.omitted.count(why)
	}
	r.bound()
}

// segment reads one TCP segment.
func (r *Reader) segment(s *segment) {
	c, sender, dropped := r.table.find(s)
	if dropped != nil {
		r.close(dropped)
	}
	if s.quoted || c.foreign {
		return
	}
	rd := r.reading(c, s)
	if rd == nil {
		return
	}
	own, other := &rd.sides[sender], &rd.sides[1-sender]
	r.sequence(own, other, s)
	if s.has(flagACK) {
		other.sequence.acknowledge(s.ack)
		r.settle(other)
	}
	r.settle(own)
	r.ending(rd, own, s)
}

// reading returns what is kept of a connection, and begins to keep it when the
// segment could be followed by DCE/RPC; nil if not.
func (r *Reader) reading(c *conn, s *segment) *reading {
	if c.reading != nil {
		r.read.touch(c.reading.use)
		return c.reading
	}
	if s.has(flagRST) {
		return nil
	}
	if r.read.n >= r.limits.reading {
		r.close(r.read.oldest().conn)
	}
	c.reading = newReading(c)
	c.reading.use = r.read.add(c.reading)
	return c.reading
}

// sequence puts the segment where it belongs.
func (r *Reader) sequence(own, other *side, s *segment) {
	seq := s.seq
	if s.has(flagSYN) {
		seq++
		if own.sequence.begin(seq) && own.reading.info == nil {
			own.intake.state, own.intake.resumed = opening, false
		}
	}
	own.sequence.expect(seq)
	if own.intake.state == foreign || len(s.data)+s.cut == 0 {
		return
	}
	p := piece{seq: seq, data: s.data, cut: s.cut, frame: s.frame, time: s.time, start: true}
	p.ahead = s.has(flagACK) && other.sequence.missed(s.ack, other.finished)
	own.sequence.add(p, r.deliver(own))
}

// deliver returns what takes the pieces of a side in order.
func (r *Reader) deliver(own *side) deliverer {
	x := sideExchange{r, own}
	return func(p piece, lost int) {
		if lost != 0 && own.intake.state == framing {
			r.counts.Gaps++
		}
		own.intake.take(p, lost, x)
	}
}

// settle brings the books of a side up to date.
func (r *Reader) settle(s *side) {
	for s.sequence.kept > r.limits.waiting {
		s.sequence.giveUp(r.deliver(s))
	}
	r.holes.watch(s, r.now)
	kept := s.sequence.kept + len(s.intake.buf)
	r.kept += kept - s.kept
	s.kept = kept
}

// giveUp goes on behind a hole.
func (r *Reader) giveUp(s *side) {
	s.sequence.giveUp(r.deliver(s))
	r.settle(s)
}

// ending sees whether a connection ends with the segment, or is none of ours.
func (r *Reader) ending(rd *reading, own *side, s *segment) {
	if s.has(flagFIN) {
		own.finished = true
	}
	switch {
	case rd.settled() && rd.info == nil:
		rd.conn.foreign = true
		r.close(rd.conn)
	case s.has(flagRST) || rd.over():
		r.end(rd)
	}
}

// end lets the PDUs of a connection that is over be the last. What comes after
// them, late or in spite of it, is read like a connection whose beginning was
// not captured.
func (r *Reader) end(rd *reading) {
	for i := range rd.sides {
		s := &rd.sides[i]
		for s.sequence.hole() {
			s.sequence.giveUp(r.deliver(s))
		}
		s.intake.end(sideExchange{r, s})
		r.settle(s)
	}
	rd.info = nil
}

// close forgets all that is kept of a connection.
func (r *Reader) close(c *conn) {
	rd := c.reading
	if rd == nil {
		return
	}
	r.end(rd)
	r.read.remove(rd.use)
	c.reading = nil
}

// bound keeps the limits on memory.
func (r *Reader) bound() {
	for r.kept > r.limits.buffered && r.read.n > 0 {
		r.close(r.read.oldest().conn)
	}
	for r.ready.cost > r.limits.held {
		s, _ := r.holes.oldest()
		if s == nil {
			return
		}
		r.giveUp(s)
	}
}

// finish reads what still waits.
func (r *Reader) finish() {
	for r.read.n > 0 {
		r.close(r.read.oldest().conn)
	}
}

func (r *Reader) tell(n Note) {
	if r.Note != nil {
		r.Note(n)
	}
}
