package rfri

import (
	"testing"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

// fuzz feeds any bytes in any encoding to a parser. What it accepts must have the
// same meaning when it comes back from the encoder; kept says whether it must
// have the same length, as answers must, where only the name may change.
func (c codec[T]) fuzz(f *testing.F, kept bool, seeds ...string) {
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
			if v != zero || wire.ClassOf(err) == 0 {
				t.Fatalf("%+v, %v", v, err)
			}
			return
		}
		again := c.must(t, v, syntax, order)
		if kept && len(again) != len(stub) {
			t.Fatalf("%x came back as %x", stub, again)
		}
		if got, err := c.parse(again, syntax, order); err != nil || got != v {
			t.Fatalf("%x came back as %+v, %v, was %+v", stub, got, err, v)
		}
	})
}

func FuzzNewDSAAnswer(f *testing.F) {
	newDSAAnswers.fuzz(f, true, newDSAAnswer, newDSAAnswerBE, newDSAAnswer64, newDSAFailure, newDSAUnused)
}

func FuzzFQDNAnswer(f *testing.F) {
	fqdnAnswers.fuzz(f, true, fqdnAnswer, fqdnAnswerBE, fqdnAnswer64, fqdnFailure)
}

func FuzzNewDSARequest(f *testing.F) {
	newDSARequests.fuzz(f, false, newDSARequest, newDSARequest64, newDSARequest+"000000 8ae3137102f43671 0040 0000")
}

func FuzzFQDNRequest(f *testing.F) {
	fqdnRequests.fuzz(f, false, fqdnRequest, fqdnRequest64, fqdnRequest+"00 8ae3137102f43671 0040 0000")
}
