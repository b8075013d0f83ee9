package capture

import (
	"encoding/binary"
	"net/netip"
	"time"
)

// TCP header flags (RFC 9293 3.1).
const (
	flagFIN = 0x01
	flagSYN = 0x02
	flagRST = 0x04
	flagACK = 0x10
)

// segment is one TCP segment as captured. Its data is valid as long as the
// frame's.
type segment struct {
	frame    int
	time     time.Time
	src, dst netip.AddrPort
	seq, ack uint32
	flags    uint8
	data     []byte // payload as far as it was captured
	cut      int    // bytes of payload that were not
	quoted   bool   // part of an ICMP error: nobody received it
}

func (s *segment) has(flags uint8) bool { return s.flags&flags == flags }

// opens reports whether the segment asks for a connection.
func (s *segment) opens() bool { return s.flags&(flagSYN|flagACK) == flagSYN }

// segment reads the TCP header at the start of b, as far as it matters here.
// The checksum is not looked at: captures at the sender have it unfilled.
func (d *decoder) segment(f frame, b []byte) (segment, bool) {
	// Wireshark counts a connection when it has seen a header up to the
	// window; options and their lengths are nobody's business.
	const least, fixed = 16, 20
	if len(b) < least {
		return segment{}, false
	}
	s := segment{
		frame: f.number, time: f.time, quoted: d.quoted,
		src: netip.AddrPortFrom(d.src, binary.BigEndian.Uint16(b)),
		dst: netip.AddrPortFrom(d.dst, binary.BigEndian.Uint16(b[2:])),
		seq: binary.BigEndian.Uint32(b[4:]), ack: binary.BigEndian.Uint32(b[8:]),
		flags: b[13],
	}
	size := d.length - (d.payload - len(b)) // of header and payload, on the wire
	if start := int(b[12]>>4) * 4; start >= fixed && start <= size && !d.quoted {
		s.data = b[min(start, len(b)):]
		s.cut = size - max(start, len(b))
	}
	return s, true
}
