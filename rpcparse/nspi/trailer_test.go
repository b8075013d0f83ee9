package nspi

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

func TestVerificationTrailerMayFollowARequest(t *testing.T) {
	for _, tc := range []struct {
		name, trailer string
		size          int
	}{
		{"Samba", smbTrailer, 60},
		{"Windows", winTrailer, 52},
		{"an unknown command, then END alone", "8ae3137102f43671 3f80 0300 aabbcc 0040 0000", 19},
	} {
		t.Run(tc.name, func(t *testing.T) {
			trailer := unhex(t, tc.trailer)
			if len(trailer) != tc.size {
				t.Fatalf("the trailer has %d bytes, want %d", len(trailer), tc.size)
			}
			for _, e := range encodings { // the trailer is little-endian in all
				bind := BindRequest{HasGUID: true, Referent: 7, GUID: [16]byte{1}}
				bindRequests.checkTrailed(t, bind, trailer, e.syntax, e.order)
				unbindRequests.checkTrailed(t, UnbindRequest{Handle: Handle{5: 1}}, trailer, e.syntax, e.order)
			}
		})
	}
}

// checkTrailed expects v back from its stub with trailer behind, and failure at
// every truncation but the one that takes off exactly the trailer.
func (c codec[T]) checkTrailed(t rapid.TB, v T, trailer []byte, s Syntax, o wire.Order) {
	t.Helper()
	bare := c.append(nil, v, s, o)
	stub := append(bytes.Clone(bare), trailer...)
	if got, err := c.parse(stub, s, o); err != nil || got != v {
		t.Errorf("%v: got %+v, %v", s, got, err)
	}
	for n := range stub {
		if n != len(bare) {
			c.mustFail(t, stub[:n], s, o)
		}
	}
	c.mustFail(t, append(stub, 0), s, o)
}

func TestMalformedTrailerIsRefused(t *testing.T) {
	for name, trailer := range map[string]string{
		"other signature":              "8ae3137102f43670 0040 0000",
		"signature alone":              "8ae3137102f43671",
		"no END":                       "8ae3137102f43671 0100 0400 01000000",
		"empty commands without END":   "8ae3137102f43671 0000 0000 0000 0000 0000 0000",
		"command longer than the stub": "8ae3137102f43671 0240 ffff 00000000",
		"bytes behind END":             "8ae3137102f43671 0240 0000 00",
		"a second trailer":             "8ae3137102f43671 0040 0000 8ae3137102f43671 0040 0000",
		"behind padding":               "00000000 8ae3137102f43671 0040 0000",
	} {
		t.Run(name, func(t *testing.T) {
			bare := AppendUnbindRequest(nil, UnbindRequest{}, NDR, wire.LittleEndian)
			unbindRequests.mustFail(t, append(bare, unhex(t, trailer)...), NDR, wire.LittleEndian)
		})
	}
}

// A response has no verification trailer.
func TestTrailerBehindAResponseIsRefused(t *testing.T) {
	trailer := unhex(t, smbTrailer)
	bindResponses.mustFail(t, append(unhex(t, exBindGranted), trailer...), NDR, wire.LittleEndian)
	unbindResponses.mustFail(t, append(unhex(t, exUnbindResponse), trailer...), NDR, wire.LittleEndian)
}

// A trailer of the largest stub that is ever put together costs one pass.
func TestTrailerOfManyEmptyCommandsEnds(t *testing.T) {
	stub := AppendUnbindRequest(nil, UnbindRequest{}, NDR, wire.LittleEndian)
	stub = append(stub, trailerSignature...)
	stub = append(stub, make([]byte, 4<<20)...)
	unbindRequests.mustFail(t, stub, NDR, wire.LittleEndian)
	stub = append(stub, 0, 0x40, 0, 0)
	if _, err := ParseUnbindRequest(stub, NDR, wire.LittleEndian); err != nil {
		t.Error(err)
	}
}
