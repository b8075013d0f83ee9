package capturetest

import "net/netip"

// Talk is a TCP connection that remembers its sequence numbers. Its methods
// return the next segment.
type Talk struct {
	ClientEnd, ServerEnd netip.AddrPort
	ClientSeq, ServerSeq uint32 // of the next byte
}

// NewTalk returns a connection to port 135, of a client port that is the
// same each time.
func NewTalk() *Talk { return NewTalkTo(135) }

// NewTalkTo returns a connection to a port.
func NewTalkTo(port uint16) *Talk {
	return &Talk{
		ClientEnd: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, 1}), 50000),
		ServerEnd: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, 2}), port),
		ClientSeq: 1000, ServerSeq: 5000,
	}
}

// FromClient returns a segment of the client and moves on.
func (t *Talk) FromClient(flags uint8, data []byte) Segment {
	s := Segment{From: t.ClientEnd, To: t.ServerEnd, Seq: t.ClientSeq, Ack: t.ServerSeq, Flags: flags, Data: data}
	t.ClientSeq += sequenceLength(flags, data)
	return s
}

// FromServer returns a segment of the server and moves on.
func (t *Talk) FromServer(flags uint8, data []byte) Segment {
	s := Segment{From: t.ServerEnd, To: t.ClientEnd, Seq: t.ServerSeq, Ack: t.ClientSeq, Flags: flags, Data: data}
	t.ServerSeq += sequenceLength(flags, data)
	return s
}

func sequenceLength(flags uint8, data []byte) uint32 {
	n := uint32(len(data))
	if flags&(SYN|FIN) != 0 {
		n++
	}
	return n
}

// SYN returns the client's first segment.
func (t *Talk) SYN() Frame {
	s := t.FromClient(SYN, nil)
	s.Ack = 0
	return s.Frame()
}

// SYNACK returns the server's answer.
func (t *Talk) SYNACK() Frame { return t.FromServer(SYN|ACK, nil).Frame() }

// Client returns data of the client.
func (t *Talk) Client(data ...[]byte) Frame { return t.FromClient(ACK, join(data)).Frame() }

// Server returns data of the server.
func (t *Talk) Server(data ...[]byte) Frame { return t.FromServer(ACK, join(data)).Frame() }

// Lose moves on as if data of the client had been sent, but not captured.
func (t *Talk) Lose(n int) { t.ClientSeq += uint32(n) }

func join(parts [][]byte) []byte {
	var b []byte
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}
