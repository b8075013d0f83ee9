package rpcparse

import (
	"bytes"
	"errors"
	"testing"
)

// fuzzTypes lets the fuzzer loose on the decoder of some types: any bytes are
// a named error, or a view that is written and read again as the same. Of
// bytes that fail because of their length alone, the length is corrected.
func fuzzTypes(f *testing.F, types ...PType) {
	addGoldens(f, types...)
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, p := range types {
			c := codecOf(t, p)
			c.checkBytes(t, b)
			if len(b) <= MaxPDU {
				c.checkBytes(t, relength(b))
			}
		}
	})
}

func FuzzRequest(f *testing.F)  { fuzzTypes(f, PTypeRequest) }
func FuzzResponse(f *testing.F) { fuzzTypes(f, PTypeResponse) }
func FuzzFault(f *testing.F)    { fuzzTypes(f, PTypeFault) }
func FuzzBind(f *testing.F)     { fuzzTypes(f, PTypeBind, PTypeAlterContext) }
func FuzzBindAck(f *testing.F)  { fuzzTypes(f, PTypeBindAck, PTypeAlterContextResp) }
func FuzzBindNak(f *testing.F)  { fuzzTypes(f, PTypeBindNak) }
func FuzzAuth3(f *testing.F)    { fuzzTypes(f, PTypeAuth3) }
func FuzzBare(f *testing.F)     { fuzzTypes(f, PTypeShutdown, PTypeCoCancel, PTypeOrphaned) }

func FuzzHeader(f *testing.F) {
	for _, g := range goldens {
		f.Add(unhex(f, g.hex))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := ParseHeader(b)
		if err != nil {
			checkError(t, err, b[:min(len(b), HeaderSize)])
			return
		}
		if h.FragLength < HeaderSize || !h.Type.Known() {
			t.Fatalf("%+v", h)
		}
		if again := AppendHeader(nil, h); !bytes.Equal(again, b[:HeaderSize]) {
			t.Fatalf("written as %x, was %x", again, b[:HeaderSize])
		}
	})
}

// FuzzFramer: whatever the stream and wherever it is split, the same PDUs come
// out, then the same error or none.
func FuzzFramer(f *testing.F) {
	for _, dir := range []Direction{ClientToServer, ServerToClient} {
		stream, _ := goldenStream(f, dir)
		f.Add(stream, []byte{1}, uint8(dir))
		f.Add(stream, []byte{16, 7, 200, 1}, uint8(dir))
		f.Add(append(stream[:len(stream):len(stream)], "GET / HTTP/1.1"...), []byte{3}, uint8(dir))
	}
	f.Fuzz(func(t *testing.T, stream, pieces []byte, options uint8) {
		framer := Framer{Dir: Direction(options & 1), AllowRTS: options&2 != 0, Limits: Limits{MaxBind: int(options) << 8}}
		whole, split := framer, framer
		want, wantErr := frame(t, &whole, stream, func() int { return len(stream) })
		i := 0
		got, err := frame(t, &split, stream, func() int {
			if len(pieces) == 0 {
				return 1
			}
			i++
			return int(pieces[i%len(pieces)])
		})
		samePDUs(t, got, want)
		if (err == nil) != (wantErr == nil) || err != nil && err.Error() != wantErr.Error() {
			t.Fatalf("error %v, in one piece %v", err, wantErr)
		}
		var e *Error
		if err != nil && (!errors.As(err, &e) || e.Class != ClassInvalid && e.Class != ClassLimit) {
			t.Fatalf("error %#v", err)
		}
	})
}
