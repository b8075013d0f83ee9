package capture

import (
	"time"

	"github.com/nspiproxy/nspiproxy/rpcparse"
)

// intakeState is how an intake takes the next byte.
type intakeState uint8

const (
	// opening: the next byte is the first of the connection. Whether it is
	// DCE/RPC is decided once and for all.
	opening intakeState = iota
	// searching: where PDUs begin is unknown. A segment that begins like a PDU
	// of this direction is believed to, as Wireshark believes it.
	searching
	// framing: the next byte, behind skip more, begins a PDU or continues the
	// one in buf.
	framing
	// foreign: not DCE/RPC, or not any more.
	foreign
)

// intake cuts the bytes of one direction into PDUs. Bytes that are missing are
// never made up, and a boundary is never guessed inside a segment.
type intake struct {
	state   intakeState
	framer  rpcparse.Framer
	buf     []byte // beginning of a PDU
	skip    int    // bytes of a PDU that is incomplete
	resumed bool   // bytes are missing since the last PDU
	skipped int    // bytes since the last PDU that are missing or in none
	ahead   bool   // bytes of the other direction are missing, as this one shows
	frame   int    // that carried the newest byte
	time    time.Time
}

// exchange is what an intake needs to know about the other direction, and
// where its PDUs go.
type exchange interface {
	// role says which side sends this direction, given the type of its first
	// PDU. ok is false when the other direction contradicts.
	role(t rpcparse.PType) (dir rpcparse.Direction, ok bool)
	emit(p PDU)
	note(frame int, text string)
}

// take takes the bytes of p, before which lost bytes are missing.
func (in *intake) take(p piece, lost int, x exchange) {
	if in.state == foreign {
		return
	}
	if p.frame > in.frame { // less behind a hole that was filled late
		in.frame, in.time = p.frame, p.time
	}
	if lost != 0 {
		in.gap(lost, x)
	}
	in.ahead = in.ahead || p.ahead
	b := p.data
	if n := min(in.skip, len(b)); n > 0 {
		in.skip -= n
		in.pass(n)
		b = b[n:]
	}
	if in.state == searching {
		// In the middle of a stream a header must be right in every respect.
		if _, err := rpcparse.ParseHeader(b); err != nil || !p.start || !in.begin(b, x) {
			in.pass(len(b))
			b = nil
		}
	}
	in.frameAll(b, x)
	if p.cut > 0 {
		in.cutOff(p.cut, x)
	}
}

// pass counts bytes that belong to no whole PDU.
func (in *intake) pass(n int) {
	in.resumed = true
	if n == unknown || in.skipped == unknown {
		in.skipped = unknown
		return
	}
	in.skipped += n
}

// begin decides whether b begins with a PDU of this direction, and frames from
// there on if so.
func (in *intake) begin(b []byte, x exchange) bool {
	h, ok := plausible(b)
	if !ok {
		return false
	}
	dir, ok := x.role(h.Type)
	if !ok {
		return false
	}
	in.state = framing
	in.reset(dir)
	return true
}

// reset makes a framer for the next PDU. Sizes are not limited as on a relay:
// what the two sides agreed on may not have been captured.
func (in *intake) reset(dir rpcparse.Direction) {
	in.framer = rpcparse.Framer{Dir: dir, AllowRTS: true}
	in.framer.SetMaxFragment(rpcparse.MaxPDU)
}

// frameAll cuts b, behind what is in buf, into PDUs and keeps the rest.
func (in *intake) frameAll(b []byte, x exchange) {
	if len(b) == 0 || in.state == foreign {
		return
	}
	if len(in.buf) > 0 {
		in.buf = append(in.buf, b...)
		b = in.buf
	}
	if in.state == opening && !in.open(b, x) {
		in.keep(b)
		return
	}
	for len(b) > 0 && in.state == framing {
		n := in.next(b, x)
		if n == 0 {
			break
		}
		b = b[n:]
	}
	in.keep(b)
}

// keep keeps the beginning of a PDU, and no memory without need.
func (in *intake) keep(b []byte) {
	if len(b) == 0 || in.state == foreign {
		in.buf = nil
		return
	}
	in.buf = append(in.buf[:0], b...)
}

// open decides about the first bytes of a connection; false: not yet, or it is
// foreign.
func (in *intake) open(b []byte, x exchange) bool {
	if _, ok := boundary(b); ok && len(b) < rpcparse.HeaderSize {
		return false
	}
	if !in.begin(b, x) {
		in.state = foreign
		return false
	}
	return true
}

// next emits the PDU at the start of b and returns its length, 0 if it is not
// complete or there is none.
func (in *intake) next(b []byte, x exchange) int {
	pdu, h, err := in.framer.Next(b)
	if err == nil && pdu != nil {
		in.emit(PDU{Header: h, Bytes: pdu}, x)
	}
	if err == nil {
		return len(pdu)
	}
	h, ok := boundary(b)
	switch {
	case !ok:
		in.state = foreign
		x.note(in.frame, "not DCE/RPC any more: "+err.Error())
		return 0
	case len(b) < max(rpcparse.HeaderSize, int(h.FragLength)):
		return 0
	}
	in.emit(PDU{Header: h, Bytes: b[:h.FragLength], Err: err}, x)
	in.reset(in.framer.Dir)
	return int(h.FragLength)
}

func (in *intake) emit(p PDU, x exchange) {
	p.Frame, p.Time, p.Dir = in.frame, in.time, in.framer.Dir
	p.Resumed, p.Ahead, p.Skipped = in.resumed, in.ahead, in.skipped
	p.Bytes = append([]byte(nil), p.Bytes...)
	in.resumed, in.ahead, in.skipped = false, false, 0
	x.emit(p)
}

// gap notes that n bytes are missing here. Where the next PDU begins is known
// if they lie inside one PDU whose length is known.
func (in *intake) gap(n int, x exchange) {
	if in.state == framing {
		x.note(in.frame, gapText(n))
	}
	in.pass(n)
	left := in.left()
	in.pass(len(in.buf))
	in.buf = nil
	switch {
	case in.state == framing && n != unknown && n <= left:
		in.skip = left - n
	default:
		in.skip = 0
		in.state = searching
	}
}

// cutOff notes that the capture has only the beginning of what was sent. A PDU
// whose header is there is shown.
func (in *intake) cutOff(n int, x exchange) {
	if in.state == foreign {
		return
	}
	if left := in.left(); in.state == framing && left > 0 && len(in.buf) > 0 {
		if h, err := rpcparse.ParseHeader(in.buf); err == nil {
			in.emit(PDU{Header: h, Bytes: in.buf, Cut: left}, x)
			in.skip, in.buf = left, nil
		}
	}
	in.gap(n, x)
}

// left returns how many bytes the PDU in progress still has, as its header
// tells; 0 without one.
func (in *intake) left() int {
	if in.skip > 0 {
		return in.skip
	}
	if len(in.buf) < rpcparse.HeaderSize {
		return 0
	}
	h, ok := boundary(in.buf)
	if !ok {
		return 0
	}
	return int(h.FragLength) - len(in.buf)
}

// end notes the end of the connection, or of the capture.
func (in *intake) end(x exchange) {
	if in.state == framing && len(in.buf) > 0 {
		x.note(in.frame, "ends inside a PDU")
	}
	in.buf, in.skip = nil, 0
	if in.state != foreign {
		in.state = searching
	}
	in.resumed = true
}
