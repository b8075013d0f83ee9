package rpcparse

import (
	"bytes"
	"testing"
)

var (
	sampleTrailer = VerificationTrailer{HasPContext: true, Abstract: sampleInterface, Transfer: SyntaxNDR64}
	sambaTrailer  = VerificationTrailer{HasBitmask1: true, Bitmask1: TrailerHeaderSigning, HasPContext: true, Abstract: sampleInterface, Transfer: SyntaxNDR}
	fullTrailer   = VerificationTrailer{
		HasBitmask1: true, Bitmask1: TrailerHeaderSigning,
		HasPContext: true, Abstract: sampleInterface, Transfer: SyntaxNDR64,
		HasHeader2: true, Header2: TrailerHeader2{Type: PTypeRequest, Drep: DrepLittleEndian, CallID: 2, ContextID: 1, Opnum: 3},
	}
)

func appendTrailer(t testing.TB, stub []byte, vt VerificationTrailer) []byte {
	t.Helper()
	b, err := AppendVerificationTrailer(stub, vt)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestVerificationTrailerAsPeersSendIt(t *testing.T) {
	for _, tc := range []struct {
		name string
		vt   VerificationTrailer
		size int
		head string
	}{
		{"Windows", sampleTrailer, 52, "8ae3137102f43671 02402800"},
		{"Samba", sambaTrailer, 60, "8ae3137102f43671 01000400 01000000 02402800"},
		{"all commands", fullTrailer, 80, "8ae3137102f43671 01000400 01000000 02002800"},
		{"bitmask alone", VerificationTrailer{HasBitmask1: true}, 16, "8ae3137102f43671 01400400 00000000"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, stub := range [][]byte{nil, []byte("parameters of 28 bytes ....."), bytes.Repeat([]byte{1}, 4000)} {
				b := appendTrailer(t, stub[:len(stub):len(stub)], tc.vt)
				if n := len(b) - len(stub); n != tc.size || n != tc.vt.Len() || !bytes.HasPrefix(b[len(stub):], unhex(t, tc.head)) {
					t.Fatalf("%x", b[len(stub):])
				}
				vt, stubLen, ok := ParseVerificationTrailer(b)
				if !ok || vt != tc.vt || stubLen != len(stub) {
					t.Errorf("%+v, stub of %d, %v", vt, stubLen, ok)
				}
			}
		})
	}
}

func TestWhatIsNoWholeTrailerIsStub(t *testing.T) {
	b := appendTrailer(t, []byte("stub"), fullTrailer)
	edit := func(at int, value ...byte) []byte {
		c := bytes.Clone(b)
		copy(c[at:], value)
		return c
	}
	for name, stub := range map[string][]byte{
		"empty":               nil,
		"seven bytes":         b[4:11],
		"signature alone":     b[:12],
		"other signature":     edit(4, 0),
		"bytes behind":        append(bytes.Clone(b), 0, 0, 0, 0),
		"not aligned":         append([]byte("st"), b[4:]...),
		"command too long":    edit(14, 0xff, 0xff),
		"bitmask of two":      edit(14, 2),
		"pcontext of 36":      edit(22, 36),
		"header2 of 8":        edit(66, 8),
		"no end":              edit(65, 0),
		"end in the middle":   edit(13, 0x40),
		"too far from an end": appendTrailer(t, nil, sampleTrailer)[:8],
	} {
		if vt, n, ok := ParseVerificationTrailer(stub); ok || n != len(stub) || vt != (VerificationTrailer{}) {
			t.Errorf("%s: %+v, %d, %v", name, vt, n, ok)
		}
	}
	for i := range b {
		if _, _, ok := ParseVerificationTrailer(b[:i]); ok {
			t.Errorf("the first %d bytes pass for a trailer", i)
		}
	}
}

func TestUnknownTrailerCommandsArePassedOver(t *testing.T) {
	b := unhex(t, `8ae3137102f43671 09800200 ffff 0a000000 01400400 01000000`)
	vt, n, ok := ParseVerificationTrailer(b)
	if !ok || n != 0 || vt.Unknown != 2 || !vt.HasBitmask1 {
		t.Errorf("%+v, %d, %v", vt, n, ok)
	}
}

func TestFirstOfRepeatedTrailerCommandsCounts(t *testing.T) {
	b := unhex(t, `8ae3137102f43671 01000400 01000000 01400400 00000000`)
	if vt, _, ok := ParseVerificationTrailer(b); !ok || vt.Bitmask1 != 1 {
		t.Errorf("%+v, %v", vt, ok)
	}
}
