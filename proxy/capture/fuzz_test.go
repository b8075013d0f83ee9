package capture_test

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/nspiproxy/nspiproxy/internal/testkit/capturetest"
	"github.com/nspiproxy/nspiproxy/proxy/capture"
	"github.com/nspiproxy/nspiproxy/rpcparse"
)

// FuzzReader reads whatever file: it ends, PDUs come in order, and each is
// what its header says.
func FuzzReader(f *testing.F) {
	for _, s := range capturetest.Scenarios() {
		f.Add(s.File)
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		r, err := capture.NewReader(bytes.NewReader(file))
		if err != nil {
			return
		}
		checkAll(t, r, len(file))
	})
}

// FuzzSegments makes segments of two connections out of the input, which
// reaches further than a file that must be well-formed first.
func FuzzSegments(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0, 1, 8, 0, 0, 2, 8, 4, 0, 0, 8, 1, 0})
	f.Add(bytes.Repeat([]byte{0, 8, 0, 3, 1, 8, 0, 7}, 20))
	f.Fuzz(func(t *testing.T, script []byte) {
		file := capturetest.Pcap(capturetest.LinkEthernet, play(script)...)
		r, err := capture.NewReader(bytes.NewReader(file))
		if err != nil {
			t.Fatal(err)
		}
		checkAll(t, r, len(file))
	})
}

// play turns four bytes into a segment: who sends it, its flags, how far it
// jumps, how much of the next PDU it holds.
func play(script []byte) []capturetest.Frame {
	talks := []*capturetest.Talk{capturetest.NewTalk(), capturetest.NewTalkTo(6004)}
	var rest [2][2][]byte
	var frames []capturetest.Frame
	for id := uint32(0); len(script) >= 4; id++ {
		who, flags, jump, part := script[0], script[1], int8(script[2]), int(script[3])
		script = script[4:]
		c, side := talks[who&1], who>>1&1
		left := &rest[who&1][side]
		send, seq := c.FromClient, &c.ClientSeq
		if side == 1 {
			send, seq = c.FromServer, &c.ServerSeq
		}
		if len(*left) == 0 {
			*left = pduOf(side, flags, id)
		}
		n := min(part, len(*left))
		*seq += uint32(int32(jump))
		frame := send(flags&0x17, (*left)[:n]).Frame()
		*left = (*left)[n:]
		frame.Sent = len(frame.Data)
		if flags&0x80 != 0 {
			frame.Data = frame.Data[:max(60, len(frame.Data)-part/2)]
		}
		frames = append(frames, frame)
	}
	return frames
}

func pduOf(side, flags uint8, id uint32) []byte {
	switch {
	case flags&0x20 != 0:
		return bytes.Repeat([]byte{5, 0, 0, 3, 0x10, 0, 0, 0, 20, 0}, 4)
	case flags&0x40 != 0 && side == 0:
		return capturetest.Bind(id)
	case flags&0x40 != 0:
		return capturetest.BindAck(id)
	case side == 0:
		return capturetest.Request(id, uint16(flags), 60)
	}
	return capturetest.Response(id, 60)
}

func checkAll(t *testing.T, r *capture.Reader, size int) {
	last := 0
	for n := 0; ; n++ {
		p, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		var broken *capture.FileError
		if errors.As(err, &broken) {
			break
		}
		if err != nil {
			t.Fatalf("error %v is no FileError", err)
		}
		if n > size {
			t.Fatal("more PDUs than bytes")
		}
		check(t, p, last)
		last = p.Frame
	}
	if _, err := r.Next(); err == nil {
		t.Error("a PDU behind the end")
	}
}

func check(t *testing.T, p *capture.PDU, last int) {
	t.Helper()
	if p.Frame < last {
		t.Fatalf("frame %d behind frame %d", p.Frame, last)
	}
	if len(p.Bytes)+p.Cut != int(p.Header.FragLength) || len(p.Bytes) < rpcparse.HeaderSize {
		t.Fatalf("%d bytes, %d cut, frag_length %d", len(p.Bytes), p.Cut, p.Header.FragLength)
	}
	if p.Skipped > 0 && !p.Resumed {
		t.Fatal("bytes are skipped, but nothing is missing")
	}
	if p.Connection == nil || p.Connection.Stream < 0 || p.Dir > 1 {
		t.Fatalf("connection %+v, direction %d", p.Connection, p.Dir)
	}
	if h, err := rpcparse.ParseHeader(p.Bytes); err == nil && h != p.Header {
		t.Fatalf("header %+v of a PDU with %+v", p.Header, h)
	}
	if p.Err == nil && p.Cut == 0 {
		if _, err := rpcparse.ParseHeader(p.Bytes); err != nil || !p.Header.Type.SentBy(p.Dir) {
			t.Fatalf("no error, but %v", err)
		}
	}
}
