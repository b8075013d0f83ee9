package nspi

import (
	"testing"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

// Stubs made to be misread: a value is missing that another one promises, or
// there is more than belongs there.
func TestContradictoryStubsAreRefused(t *testing.T) {
	t.Run("bind request", func(t *testing.T) {
		for name, stub := range map[string]string{
			"referent without its GUID": exBindRequest[:len(exBindRequest)-32],
			"half a GUID":               exBindRequest[:len(exBindRequest)-16],
			"GUID without a referent":   impBindRequest + "bc21ce00000000001897597c01000000",
			"one byte more":             exBindRequest + "00",
			"a second STAT":             exBindRequest + exBindRequest,
			"NDR64 length in NDR":       exBindRequest + "00000000",
			"an unbind request":         exUnbindRequest,
		} {
			t.Run(name, func(t *testing.T) {
				bindRequests.mustFail(t, unhex(t, stub), NDR, wire.LittleEndian)
			})
		}
	})
	t.Run("bind response", func(t *testing.T) {
		for name, stub := range map[string]string{
			"the length of success, the referent of failure": "00000000" + exBindGranted[8:],
			"the length of failure, the referent of success": "ac341200 0000000000000000000000000000000000000000 11010480",
			"an unbind response":                             exUnbindResponse,
			"one byte more":                                  exBindGranted + "00",
		} {
			t.Run(name, func(t *testing.T) {
				bindResponses.mustFail(t, unhex(t, stub), NDR, wire.LittleEndian)
			})
		}
	})
}

// 28, 32, 44 and 48 bytes mean different things in the two syntaxes. Reading one
// as the other must fail or come out the same, never grant what was refused.
func TestAnswerReadInTheWrongSyntaxGrantsNothing(t *testing.T) {
	for _, form := range []FailureForm{FormSpec, FormEcho} {
		for _, s := range []Syntax{NDR, NDR64} {
			req := BindRequest{HasGUID: true, GUID: [16]byte{8: 1}}
			stub := AppendBindFailure(nil, s, form, req)
			if got, err := ParseBindResponse(stub, NDR64-s, wire.LittleEndian); err == nil && got.Granted() {
				t.Errorf("%v of %v read as the other: %+v", form, s, got)
			}
		}
	}
}

func TestHostileLengthsNeitherPanicNorAllocate(t *testing.T) {
	huge := make([]byte, 1<<20)
	for i := range huge {
		huge[i] = 0xff
	}
	for _, e := range encodings {
		for _, n := range []int{0, 1, 3, 4, 39, 40, 41, 43, 61, 1000, len(huge)} {
			bindRequests.mustFail(t, huge[:n], e.syntax, e.order)
			bindResponses.mustFail(t, huge[:n], e.syntax, e.order)
			unbindRequests.mustFail(t, huge[:n], e.syntax, e.order)
			unbindResponses.mustFail(t, huge[:n], e.syntax, e.order)
		}
	}
}
