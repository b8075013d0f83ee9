package tower

import (
	"bytes"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

var (
	mapRequests     = appender[MapRequest](AppendMapRequest)
	mapAnswers      = appender[MapAnswer](AppendMapResponse)
	lookupRequests  = appender[LookupRequest](AppendLookupRequest)
	lookupAnswers   = appender[LookupAnswer](AppendLookupResponse)
	parseMap        = parser[MapRequest](ParseMapRequest)
	parseLookup     = parser[LookupRequest](ParseLookupRequest)
	mapResponses    = parser[MapResponse](WalkMapResponse)
	lookupResponses = parser[LookupResponse](WalkLookupResponse)
)

func TestRealMapRequestsAreReadAndEncoded(t *testing.T) {
	for _, tc := range []struct {
		name, stub string
		syntax     Syntax
		iface      wire.UUID
		hasObject  bool
		port       uint16
		max        uint32
	}{
		{"MAPI client", exMapRequest, NDR, nspiInterface.UUID, true, 135, 4},
		{"Windows, ndr64", w19MapRequest, NDR64, drsInterface.UUID, true, 135, 4},
		{"Samba, no object", smbMapRequest, NDR, wire.MustUUID("12345778-1234-abcd-ef00-0123456789ac"), false, 0, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			stub := unhex(t, tc.stub)
			got, err := ParseMapRequest(stub, tc.syntax, wire.LittleEndian)
			if err != nil {
				t.Fatal(err)
			}
			if got.HasObject != tc.hasObject || !got.Object.IsNil() || !got.Handle.IsZero() || got.MaxTowers != tc.max {
				t.Errorf("got %+v", got)
			}
			asked, err := Parse(got.Tower)
			if err != nil {
				t.Fatal(err)
			}
			if port, _ := asked.Port(); asked.Interface().UUID != tc.iface || port != tc.port {
				t.Errorf("asks for %v", asked)
			}
			if again := mapRequests.must(t, got, tc.syntax, wire.LittleEndian); !bytes.Equal(again, stub) {
				t.Errorf("encoded %x, want %x", again, stub)
			}
			parseMap.mustBeExact(t, stub, tc.syntax, wire.LittleEndian)
		})
	}
}

func TestRealLookupRequestsAreReadAndEncoded(t *testing.T) {
	for _, tc := range []struct {
		name, stub string
		want       LookupRequest
	}{
		{"one interface and object", olLookupRequest, LookupRequest{
			Inquiry:      InquireInterface,
			HasObject:    true,
			Object:       wire.MustUUID("00390034-0039-0037-5d00-000000000000"),
			HasInterface: true,
			Interface:    nspiInterface,
			VersOption:   1,
			MaxEntries:   1,
		}},
		{"everything", smbLookupRequest, LookupRequest{MaxEntries: 1}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			stub := unhex(t, tc.stub)
			got, err := ParseLookupRequest(stub, NDR, wire.LittleEndian)
			if err != nil {
				t.Fatal(err)
			}
			if got != tc.want {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
			if again := lookupRequests.must(t, got, NDR, wire.LittleEndian); !bytes.Equal(again, stub) {
				t.Errorf("encoded %x, want %x", again, stub)
			}
			parseLookup.mustBeExact(t, stub, NDR, wire.LittleEndian)
		})
	}
}

func TestRequestsRoundTrip(t *testing.T) {
	for _, e := range encodings {
		t.Run(e.name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				m := MapRequest{Handle: drawHandle(t), MaxTowers: rapid.Uint32Max(MaxTowers).Draw(t, "max")}
				m.HasObject, m.Object = drawUUID(t)
				if rapid.Bool().Draw(t, "tower") {
					m.Tower = rapid.SliceOfN(rapid.Byte(), 0, 99).Draw(t, "octets")
				}
				stub := mapRequests.must(t, m, e.syntax, e.order)
				if got, err := ParseMapRequest(stub, e.syntax, e.order); err != nil || !reflect.DeepEqual(got, m) {
					t.Fatalf("got %+v, %v, want %+v", got, err, m)
				}
				parseMap.mustBeShort(t, stub, e.syntax, e.order)

				l := LookupRequest{
					Inquiry: rapid.Uint32().Draw(t, "inquiry"), VersOption: rapid.Uint32().Draw(t, "option"),
					Handle: drawHandle(t), MaxEntries: rapid.Uint32Max(MaxTowers).Draw(t, "max"),
				}
				l.HasObject, l.Object = drawUUID(t)
				if l.HasInterface, l.Interface.UUID = drawUUID(t); l.HasInterface {
					l.Interface.Version = rapid.Uint32().Draw(t, "version")
				}
				stub = lookupRequests.must(t, l, e.syntax, e.order)
				if got, err := ParseLookupRequest(stub, e.syntax, e.order); err != nil || got != l {
					t.Fatalf("got %+v, %v, want %+v", got, err, l)
				}
				parseLookup.mustBeShort(t, stub, e.syntax, e.order)
			})
		})
	}
}

func TestRequestsHaveExactlyOneLength(t *testing.T) {
	for _, e := range encodings {
		for _, has := range []bool{true, false} {
			m := MapRequest{HasObject: has, Tower: pipeTower("odd"), MaxTowers: 1}
			parseMap.mustBeExact(t, mapRequests.must(t, m, e.syntax, e.order), e.syntax, e.order)
			l := LookupRequest{HasObject: has, HasInterface: !has, MaxEntries: 1}
			parseLookup.mustBeExact(t, lookupRequests.must(t, l, e.syntax, e.order), e.syntax, e.order)
		}
	}
}

func drawHandle(t *rapid.T) Handle {
	return Handle(rapid.SliceOfN(rapid.Byte(), HandleSize, HandleSize).Draw(t, "handle"))
}

func drawUUID(t *rapid.T) (has bool, u wire.UUID) {
	if has = rapid.Bool().Draw(t, "has"); has {
		u = wire.UUID(rapid.SliceOfN(rapid.Byte(), wire.UUIDSize, wire.UUIDSize).Draw(t, "uuid"))
	}
	return has, u
}

// Clients that sign what they say to the endpoint mapper put a verification
// trailer behind the first request.
func TestVerificationTrailerMayFollowARequest(t *testing.T) {
	trailer := unhex(t, "8ae3137102f43671 0040 0000")
	for _, e := range encodings {
		for _, octets := range [][]byte{nspiTower(0), pipeTower("odd")} {
			stub := mapRequests.must(t, MapRequest{Tower: octets, MaxTowers: 1}, e.syntax, e.order)
			if _, err := ParseMapRequest(append(stub, trailer...), e.syntax, e.order); err != nil {
				t.Errorf("%s: %v", e.name, err)
			}
			parseMap.mustFail(t, append(stub, trailer[1:]...), e.syntax, e.order, wire.ClassInvalid, "stub_length")
		}
	}
}
