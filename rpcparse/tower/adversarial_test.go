package tower

import (
	"bytes"
	"testing"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

// edit returns a copy of the CAP-EX answer (NDR, two towers) with some bytes
// replaced, which lie at these offsets.
func edit(t *testing.T, changes map[int][]byte) []byte {
	stub := unhex(t, exMapResponse)
	for at, b := range changes {
		copy(stub[at:], b)
	}
	return stub
}

// Offsets: 20 num_towers, 24 max, 28 offset, 32 actual, 36 and 40 referents, 44
// tower max, 48 tower length, 52 octets, 128 second tower.
func TestContradictoryMapAnswersAreRefused(t *testing.T) {
	for _, tc := range []struct {
		name    string
		changes map[int][]byte
		class   wire.Class
		field   string
	}{
		{"room for 501", map[int][]byte{24: {0xf5, 1}}, wire.ClassLimit, "array_max"},
		{"room for 2^32-1", map[int][]byte{24: {0xff, 0xff, 0xff, 0xff}}, wire.ClassLimit, "array_max"},
		{"no room", map[int][]byte{24: {0}}, wire.ClassInvalid, "array_actual"},
		{"more than there is room for", map[int][]byte{20: {3}, 24: {2}, 32: {3}}, wire.ClassInvalid, "array_actual"},
		{"offset", map[int][]byte{28: {1}}, wire.ClassInvalid, "array_offset"},
		{"fewer than announced", map[int][]byte{20: {3}}, wire.ClassInvalid, "array_actual"},
		{"more than announced", map[int][]byte{20: {1}}, wire.ClassInvalid, "array_actual"},
		{"announced 2^32+2 if lengths were cut", map[int][]byte{20: {2, 0, 0, 0x80}}, wire.ClassInvalid, "array_actual"},
		{"500 towers in the room of two", map[int][]byte{20: {0xf4, 1}, 24: {0xf4, 1}, 32: {0xf4, 1}}, wire.ClassShort, "array_elements"},
		{"501 towers", map[int][]byte{20: {0xf5, 1}, 24: {0xf4, 1}, 32: {0xf5, 1}}, wire.ClassLimit, "array_actual"},
		{"tower longer than its room", map[int][]byte{48: {0x4c}}, wire.ClassInvalid, "tower_length"},
		{"tower shorter than its room", map[int][]byte{48: {0x4a}}, wire.ClassInvalid, "tower_length"},
		{"tower of 2001 octets", map[int][]byte{44: {0xd1, 7}, 48: {0xd1, 7}}, wire.ClassLimit, "tower_max"},
		{"tower of 2^31 octets", map[int][]byte{44: {0, 0, 0, 0x80}, 48: {0, 0, 0, 0x80}}, wire.ClassLimit, "tower_max"},
		{"tower over the end", map[int][]byte{44: {0xd0, 7}, 48: {0xd0, 7}}, wire.ClassShort, "tower_octets"},
		{"second body without a referent", map[int][]byte{40: {0}}, wire.ClassInvalid, "stub_length"},
		{"second body of the same referent", map[int][]byte{40: {3}}, wire.ClassInvalid, "stub_length"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			mapResponses.mustFail(t, edit(t, tc.changes), NDR, wire.LittleEndian, tc.class, tc.field)
		})
	}
}

// Offsets in CAP-OL: 20 num_ents, 24 max, 28 offset, 32 actual, 36 object, 52
// referent, 56 annotation offset, 60 its length, 64 characters.
func TestContradictoryLookupAnswersAreRefused(t *testing.T) {
	for _, tc := range []struct {
		name  string
		at    int
		bytes []byte
		class wire.Class
		field string
	}{
		{"room for 501", 24, []byte{0xf5, 1}, wire.ClassLimit, "array_max"},
		{"no room", 24, []byte{0}, wire.ClassInvalid, "array_actual"},
		{"array offset", 28, []byte{1}, wire.ClassInvalid, "array_offset"},
		{"announced two", 20, []byte{2}, wire.ClassInvalid, "array_actual"},
		{"annotation offset", 56, []byte{1}, wire.ClassInvalid, "annotation_offset"},
		{"annotation of 65 bytes", 60, []byte{65}, wire.ClassLimit, "annotation_length"},
		{"annotation of 2^31 bytes", 60, []byte{0, 0, 0, 0x80}, wire.ClassLimit, "annotation_length"},
		{"tower without a referent", 52, []byte{0}, wire.ClassInvalid, "stub_length"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			stub := unhex(t, olLookupResponse)
			copy(stub[tc.at:], tc.bytes)
			lookupResponses.mustFail(t, stub, NDR, wire.LittleEndian, tc.class, tc.field)
		})
	}
}

// Counts of 64 bits must not be cut to 32 before they are compared.
func TestHugeCountsOfNDR64AreOverTheLimit(t *testing.T) {
	for _, tc := range []struct {
		name  string
		at    int
		field string
	}{
		{"max", 24 + 4, "array_max"},
		{"offset", 32 + 4, "array_offset"},
		{"actual", 40 + 4, "array_actual"},
		{"tower max", 64 + 4, "tower_max"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, high := range []byte{1, 0x80, 0xff} {
				stub := unhex(t, w19MapResponse)
				stub[tc.at] = high
				class := wire.ClassLimit
				if tc.field == "array_offset" {
					class = wire.ClassInvalid
				}
				mapResponses.mustFail(t, stub, NDR64, wire.LittleEndian, class, tc.field)
			}
		})
	}
	// Referents are names: all 64 bits count.
	stub := unhex(t, w19MapResponse)
	copy(stub[56:], stub[48:56])
	stub[56+7] = 1
	if got, err := WalkMapResponse(stub, NDR64, wire.LittleEndian); err != nil || len(got.Towers) != 2 {
		t.Errorf("two referents that differ in the highest byte: %+v, %v", got, err)
	}
}

// One referent for two pointers of different types would make a UUID a tower.
func TestReferentSharedByDifferentTypesIsRefused(t *testing.T) {
	stub := unhex(t, exMapRequest)
	stub[20] = stub[0]
	parseMap.mustFail(t, stub, NDR, wire.LittleEndian, wire.ClassInvalid, "tower_referent")
	stub = unhex(t, olLookupRequest)
	stub[24] = stub[4]
	parseLookup.mustFail(t, stub, NDR, wire.LittleEndian, wire.ClassInvalid, "interface_referent")
}

func TestRequestsForTooMuchAreOverTheLimit(t *testing.T) {
	stub := unhex(t, exMapRequest)
	copy(stub[128:], []byte{0xf5, 1})
	parseMap.mustFail(t, stub, NDR, wire.LittleEndian, wire.ClassLimit, "max_towers")
	stub = unhex(t, smbLookupRequest)
	copy(stub[36:], []byte{0xf5, 1})
	parseLookup.mustFail(t, stub, NDR, wire.LittleEndian, wire.ClassLimit, "max_ents")
}

// A client that takes no towers gets an array of no room and no elements.
func TestZeroMaximumIsGood(t *testing.T) {
	for _, e := range encodings {
		stub := mapAnswers.must(t, MapAnswer{Status: StatusNotRegistered}, e.syntax, e.order)
		if got, err := WalkMapResponse(stub, e.syntax, e.order); err != nil || got.Max != 0 || len(got.Towers) != 0 || got.Status != StatusNotRegistered {
			t.Errorf("%s: %+v, %v", e.name, got, err)
		}
		stub = lookupAnswers.must(t, LookupAnswer{Status: StatusNotRegistered}, e.syntax, e.order)
		if got, err := WalkLookupResponse(stub, e.syntax, e.order); err != nil || got.Max != 0 || len(got.Entries) != 0 {
			t.Errorf("%s: %+v, %v", e.name, got, err)
		}
		stub = mapRequests.must(t, MapRequest{}, e.syntax, e.order)
		if got, err := ParseMapRequest(stub, e.syntax, e.order); err != nil || got.MaxTowers != 0 || got.Tower != nil {
			t.Errorf("%s: %+v, %v", e.name, got, err)
		}
	}
}

func TestLargestAnswersAreGood(t *testing.T) {
	for _, e := range encodings {
		a := MapAnswer{Max: MaxTowers}
		for i := range MaxTowers {
			a.Towers = append(a.Towers, nspiTower(uint16(i)))
		}
		stub := mapAnswers.must(t, a, e.syntax, e.order)
		if got, err := WalkMapResponse(stub, e.syntax, e.order); err != nil || len(got.Towers) != MaxTowers {
			t.Errorf("%s: %d towers, %v", e.name, len(got.Towers), err)
		}
		big := MapAnswer{Max: 1, Towers: [][]byte{make([]byte, MaxOctets)}}
		if _, err := WalkMapResponse(mapAnswers.must(t, big, e.syntax, e.order), e.syntax, e.order); err != nil {
			t.Errorf("%s: %v", e.name, err)
		}
	}
}

func TestEncodersRefuseWhatParsersWould(t *testing.T) {
	long := make([]byte, MaxOctets+1)
	name := string(bytes.Repeat([]byte("x"), MaxAnnotation))
	for _, e := range encodings {
		for field, f := range map[string]func(dst []byte) ([]byte, error){
			"tower_length": func(dst []byte) ([]byte, error) {
				return AppendMapRequest(dst, MapRequest{Tower: long}, e.syntax, e.order)
			},
			"array_max": func(dst []byte) ([]byte, error) {
				return AppendMapResponse(dst, MapAnswer{Max: MaxTowers + 1}, e.syntax, e.order)
			},
			"array_actual": func(dst []byte) ([]byte, error) {
				return AppendLookupResponse(dst, LookupAnswer{Entries: make([]AnswerEntry, 1)}, e.syntax, e.order)
			},
			"annotation_length": func(dst []byte) ([]byte, error) {
				return AppendLookupResponse(dst, LookupAnswer{Max: 1, Entries: []AnswerEntry{{Annotation: name}}}, e.syntax, e.order)
			},
		} {
			dst, err := f([]byte("kept"))
			if wire.ClassOf(err) != wire.ClassLimit || string(dst) != "kept" {
				t.Errorf("%s, %s: %q, %v", e.name, field, dst, err)
			}
		}
	}
}

func TestNDR64IsLittleEndianOnly(t *testing.T) {
	stub := mapAnswers.must(t, MapAnswer{Max: 3}, NDR64, wire.BigEndian)
	if got, err := WalkMapResponse(stub, NDR64, wire.LittleEndian); err != nil || got.Max != 3 {
		t.Errorf("ndr64 was written big-endian: %x", stub)
	}
	mapResponses.mustFail(t, stub, NDR64, wire.BigEndian, wire.ClassInvalid, "byte_order")
	lookupResponses.mustFail(t, stub, NDR64, wire.BigEndian, wire.ClassInvalid, "byte_order")
	parseMap.mustFail(t, stub, NDR64, wire.BigEndian, wire.ClassInvalid, "byte_order")
	parseLookup.mustFail(t, stub, NDR64, wire.BigEndian, wire.ClassInvalid, "byte_order")
	const other = NDR64 + 1
	mapResponses.mustFail(t, stub, other, wire.LittleEndian, wire.ClassInvalid, "transfer_syntax")
	if dst, err := AppendMapRequest(nil, MapRequest{}, other, wire.LittleEndian); err == nil || len(dst) != 0 {
		t.Errorf("wrote %x, %v", dst, err)
	}
}
