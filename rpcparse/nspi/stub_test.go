package nspi

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

func TestEveryStubRoundTripsAndHasExactlyOneLength(t *testing.T) {
	for _, e := range encodings {
		t.Run(e.name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				bindRequests.check(t, drawBindRequest(t, e.syntax, e.order), e.syntax, e.order)
				bindResponses.check(t, drawBindResponse(t, e.syntax), e.syntax, e.order)
				unbindRequests.check(t, UnbindRequest{drawHandle(t), drawU32(t)}, e.syntax, e.order)
				unbindResponses.check(t, UnbindResponse{drawHandle(t), Code(drawU32(t))}, e.syntax, e.order)
			})
		})
	}
}

func drawU32(t *rapid.T) uint32 { return rapid.Uint32().Draw(t, "u32") }

func drawArray[A any](t *rapid.T, n int, f func([]byte) A) A {
	return f(rapid.SliceOfN(rapid.Byte(), n, n).Draw(t, "bytes"))
}

func drawHandle(t *rapid.T) Handle {
	return drawArray(t, HandleSize, func(b []byte) Handle { return Handle(b) })
}

func drawGUID(t *rapid.T) [GUIDSize]byte {
	return drawArray(t, GUIDSize, func(b []byte) [GUIDSize]byte { return [GUIDSize]byte(b) })
}

// drawReferent draws a referent id that is not NULL in the syntax.
func drawReferent(t *rapid.T, s Syntax) uint64 {
	if s == NDR64 {
		return rapid.Uint64Min(1).Draw(t, "referent")
	}
	return uint64(rapid.Uint32Min(1).Draw(t, "referent"))
}

func drawBindRequest(t *rapid.T, s Syntax, o wire.Order) BindRequest {
	r := BindRequest{Flags: drawU32(t), CodePage: drawU32(t)}
	r.Stat = drawArray(t, StatSize, func(b []byte) [StatSize]byte { return [StatSize]byte(b) })
	o.PutUint32(r.Stat[codePageInStat:], r.CodePage)
	if r.HasGUID = rapid.Bool().Draw(t, "guid"); r.HasGUID {
		r.Referent, r.GUID = drawReferent(t, s), drawGUID(t)
	}
	return r
}

func drawBindResponse(t *rapid.T, s Syntax) BindResponse {
	r := BindResponse{Handle: drawHandle(t), Code: Code(drawU32(t))}
	if r.HasGUID = rapid.Bool().Draw(t, "guid"); r.HasGUID {
		r.Referent, r.GUID = drawReferent(t, s), drawGUID(t)
	}
	return r
}

func TestStubLengthsAreThoseOfTheSpecification(t *testing.T) {
	for _, tc := range []struct {
		syntax                                       Syntax
		request, requestGUID, response, responseGUID int
	}{
		{NDR, 44, 60, 28, 44},
		{NDR64, 48, 64, 32, 48},
	} {
		got := []int{
			BindRequest{}.Len(tc.syntax), BindRequest{HasGUID: true}.Len(tc.syntax),
			BindResponse{}.Len(tc.syntax), BindResponse{HasGUID: true}.Len(tc.syntax),
		}
		want := []int{tc.request, tc.requestGUID, tc.response, tc.responseGUID}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%v: %v, want %v", tc.syntax, got, want)
		}
	}
}

func TestIntegersFollowThePDUAndGUIDsDoNot(t *testing.T) {
	stub := unhex(t, `00000020 | 00000000 ffffffff 00000000 00000000 00000000 00000000 000004e4 0000040c 00000409 |
		00ce27c8 | bc21ce00000000001897597c01000000`)
	got, err := ParseBindRequest(stub, NDR, wire.BigEndian)
	if err != nil {
		t.Fatal(err)
	}
	if got.Flags != FlagAnonymousLogin || got.CodePage != 0x4e4 || got.Referent != 0xce27c8 {
		t.Errorf("got %+v", got)
	}
	if !bytes.Equal(got.GUID[:], stub[44:]) {
		t.Errorf("GUID %x, want %x", got.GUID, stub[44:])
	}
}

// A referent that would read as NULL in front of a GUID would shift every byte
// behind it, so an encoder must not write one.
func TestPresentGUIDNeverGetsANullReferent(t *testing.T) {
	for _, e := range encodings {
		for _, referent := range []uint64{0, 1 << 32} {
			r := BindResponse{HasGUID: true, Referent: referent}
			got, err := ParseBindResponse(AppendBindResponse(nil, r, e.syntax, e.order), e.syntax, e.order)
			if err != nil || !got.HasGUID {
				t.Errorf("%s, referent %#x: %+v, %v", e.name, referent, got, err)
			}
		}
	}
}

func TestNDR64IsLittleEndianOnly(t *testing.T) {
	req := AppendBindRequest(nil, BindRequest{Flags: 1, HasGUID: true}, NDR64, wire.BigEndian)
	if binary.LittleEndian.Uint32(req) != 1 {
		t.Errorf("ndr64 was written big-endian: %x", req)
	}
	bindRequests.mustFail(t, req, NDR64, wire.BigEndian)
	bindResponses.mustFail(t, make([]byte, 32), NDR64, wire.BigEndian)
	unbindRequests.mustFail(t, make([]byte, 24), NDR64, wire.BigEndian)
	unbindResponses.mustFail(t, make([]byte, 24), NDR64, wire.BigEndian)
}

func TestUnknownSyntaxIsRefused(t *testing.T) {
	const other = NDR64 + 1
	bindRequests.mustFail(t, make([]byte, 44), other, wire.LittleEndian)
	bindResponses.mustFail(t, make([]byte, 28), other, wire.LittleEndian)
	unbindRequests.mustFail(t, make([]byte, 24), other, wire.LittleEndian)
	unbindResponses.mustFail(t, make([]byte, 24), other, wire.LittleEndian)
}

func TestParsersKeepNoReferenceToTheirInput(t *testing.T) {
	stub := unhex(t, exBindRequest)
	got, err := ParseBindRequest(stub, NDR, wire.LittleEndian)
	if err != nil {
		t.Fatal(err)
	}
	before := got
	clear(stub)
	if got != before {
		t.Error("the value changed with the buffer")
	}
}
