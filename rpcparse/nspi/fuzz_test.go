package nspi

import (
	"bytes"
	"testing"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

// fuzz feeds any bytes in any encoding to a parser. What it accepts must come
// back byte for byte from the encoder, but for a verification trailer.
func (c codec[T]) fuzz(f *testing.F, seeds ...string) {
	for _, seed := range seeds {
		for _, e := range encodings {
			f.Add(unhex(f, seed), byte(e.syntax), bool(e.order))
		}
	}
	f.Add([]byte{}, byte(NDR), false)
	f.Fuzz(func(t *testing.T, stub []byte, s byte, big bool) {
		syntax, order := Syntax(s%3), wire.Order(big)
		v, err := c.parse(stub, syntax, order)
		if err != nil {
			var zero T
			if v != zero || wire.ClassOf(err) != wire.ClassInvalid {
				t.Fatalf("%+v, %v", v, err)
			}
			return
		}
		again := c.append(nil, v, syntax, order)
		if !bytes.HasPrefix(stub, again) || len(again) != c.length(v, syntax) {
			t.Fatalf("%x came back as %x", stub, again)
		}
		if rest := stub[len(again):]; len(rest) > 0 && !bytes.HasPrefix(rest, []byte(trailerSignature)) {
			t.Fatalf("accepted %x behind the stub", rest)
		}
	})
}

func FuzzBindRequest(f *testing.F) {
	bindRequests.fuzz(f, exBindRequest, olBindRequest, impBindRequest, exBindRequest+smbTrailer, impBindRequest+winTrailer,
		exBindRequest[:len(exBindRequest)-32]+"00000000"+"bc21ce00000000001897597c01000000")
}

func FuzzBindResponse(f *testing.F) {
	bindResponses.fuzz(f, exBindGranted, exBindRefused, olBindGranted, olBindRefused,
		"00000000 0000000000000000000000000000000000000000 11010480",
		"0000000000000000 0000000000000000000000000000000000000000 11010480")
}

func FuzzUnbindRequest(f *testing.F) {
	unbindRequests.fuzz(f, exUnbindRequest, exUnbindRequest+smbTrailer, exUnbindRequest+winTrailer)
}

func FuzzUnbindResponse(f *testing.F) {
	unbindResponses.fuzz(f, exUnbindResponse)
}
