package ndr

import (
	"bytes"
	"encoding/hex"
	"testing"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

// sample writes one of everything, each behind something that it must be aligned after.
func sample(w *Writer) {
	w.Dst = append(w.Dst, 1)
	w.U16(0x0203)
	w.U32(0x04050607)
	w.Dst = append(w.Dst, 8)
	w.Word(0x090a0b0c)
}

func read(r *Reader) (b []byte, h uint16, u uint32, w uint64) {
	b = append(b, r.Bytes(1, "first")...)
	h, u = r.U16("u16"), r.U32("u32")
	b = append(b, r.Bytes(1, "last")...)
	return b, h, u, r.Word("word")
}

func TestFieldsAreAlignedFromTheStartOfTheStub(t *testing.T) {
	for _, tc := range []struct {
		syntax Syntax
		order  wire.Order
		want   string
	}{
		{NDR, wire.LittleEndian, "0100 0302 07060504 08000000 0c0b0a09"},
		{NDR, wire.BigEndian, "0100 0203 04050607 08000000 090a0b0c"},
		{NDR64, wire.LittleEndian, "0100 0302 07060504 0800000000000000 0c0b0a0900000000"},
	} {
		want, err := hex.DecodeString(string(bytes.ReplaceAll([]byte(tc.want), []byte(" "), nil)))
		if err != nil {
			t.Fatal(err)
		}
		const front = "odd"
		w := NewWriter([]byte(front), tc.syntax, tc.order)
		sample(&w)
		got, err := w.Done()
		if err != nil || !bytes.Equal(got, append([]byte(front), want...)) {
			t.Errorf("%v: %x, %v, want %x", tc.syntax, got[len(front):], err, want)
		}
		r := NewReader(want, tc.syntax, tc.order)
		if b, h, u, n := read(&r); string(b) != "\x01\x08" || h != 0x0203 || u != 0x04050607 || n != 0x090a0b0c || r.Err != nil || r.Left() != 0 {
			t.Errorf("%v: %x %x %x %x, %v, %d left", tc.syntax, b, h, u, n, r.Err, r.Left())
		}
		for n := range want {
			r := NewReader(want[:n], tc.syntax, tc.order)
			if read(&r); wire.ClassOf(r.Err) != wire.ClassShort {
				t.Errorf("%v, %d bytes: %v", tc.syntax, n, r.Err)
			}
		}
	}
}

func TestFirstFailureSticks(t *testing.T) {
	r := NewReader(make([]byte, 64), NDR, wire.LittleEndian)
	r.Fail(wire.ClassLimit, "first", "")
	at := r.At
	b, h, u, n := read(&r)
	if r.Align(16); len(b) != 0 || h != 0 || u != 0 || n != 0 || r.At != at {
		t.Errorf("read on after a failure: %x %x %x %x, at %d", b, h, u, n, r.At)
	}
	if r.EndRequest(); r.Err.(*wire.Error).Name != "first" {
		t.Errorf("%v", r.Err)
	}
	w := NewWriter([]byte("front"), NDR, wire.LittleEndian)
	w.Limit("first", 2, 1)
	w.Limit("second", 2, 1)
	w.U32(1)
	if got, err := w.Done(); string(got) != "front" || err.(*wire.Error).Name != "first" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestCountOverItsLimitIsNoCount(t *testing.T) {
	for _, stub := range [][]byte{{8, 0, 0, 0, 0, 0, 0, 0}, {0, 0, 0, 0, 0, 0, 0, 0x80}, bytes.Repeat([]byte{0xff}, 8)} {
		r := NewReader(stub, NDR64, wire.LittleEndian)
		if n := r.Count("n", 7); n != 0 || wire.ClassOf(r.Err) != wire.ClassLimit {
			t.Errorf("%x: %d, %v", stub, n, r.Err)
		}
	}
	r := NewReader([]byte{7, 0, 0, 0, 0, 0, 0, 0}, NDR64, wire.LittleEndian)
	if n := r.Count("n", 7); n != 7 || r.Err != nil {
		t.Errorf("%d, %v", n, r.Err)
	}
}

func TestSyntaxesThatDoNotExistAreRefused(t *testing.T) {
	for _, s := range []Syntax{NDR64, NDR64 + 1} {
		r := NewReader(make([]byte, 8), s, wire.BigEndian)
		if n := r.U32("u32"); n != 0 || wire.ClassOf(r.Err) != wire.ClassInvalid {
			t.Errorf("%v: %v", s, r.Err)
		}
	}
	w := NewWriter(nil, NDR64+1, wire.LittleEndian)
	if _, err := w.Done(); wire.ClassOf(err) != wire.ClassInvalid {
		t.Errorf("%v", err)
	}
}
