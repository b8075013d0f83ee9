package tower

import (
	"testing"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

func TestAllocationsAreFewAndKnown(t *testing.T) {
	octets := nspiTower(49677)
	stub := unhex(t, exMapResponse)
	hostile := manyTowers(t)
	walked, err := WalkMapResponse(stub, NDR, wire.LittleEndian)
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		max float64
		f   func()
	}{
		"Parse":     {0, func() { _, _ = Parse(octets) }},
		"PatchPort": {0, func() { _ = PatchPort(octets, TowerRef{Length: len(octets)}, 1) }},
		"Endpoints": {0, func() {
			for e := range Endpoints(stub, walked.Towers) {
				_ = PatchPort(stub, e.Tower, e.Port)
			}
		}},
		"WalkMapResponse":                {5, func() { _, _ = WalkMapResponse(stub, NDR, wire.LittleEndian) }},
		"WalkMapResponse of 500 towers":  {24, func() { _, _ = WalkMapResponse(hostile, NDR, wire.LittleEndian) }},
		"WalkMapResponse of a bad count": {4, func() { _, _ = WalkMapResponse(stub[:36], NDR, wire.LittleEndian) }},
	} {
		if n := testing.AllocsPerRun(100, tc.f); n > tc.max {
			t.Errorf("%s: %v allocations, at most %v", name, n, tc.max)
		}
	}
}

// manyTowers is the answer that costs most to walk for its size: as many
// referents as allowed, all different, with empty towers.
func manyTowers(t testing.TB) []byte {
	a := MapAnswer{Max: MaxTowers, Towers: make([][]byte, MaxTowers)}
	return mapAnswers.must(t, a, NDR, wire.LittleEndian)
}

func BenchmarkParse(b *testing.B) {
	octets := nspiTower(49677)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(octets); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPatchPort(b *testing.B) {
	octets := nspiTower(49677)
	b.ReportAllocs()
	for b.Loop() {
		if err := PatchPort(octets, TowerRef{Length: len(octets)}, 1); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRewriteMapResponse(b *testing.B) {
	for _, tc := range realMaps {
		stub := unhex(b, tc.stub)
		b.Run(tc.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				got, err := WalkMapResponse(stub, tc.syntax, wire.LittleEndian)
				if err != nil {
					b.Fatal(err)
				}
				for e := range Endpoints(stub, got.Towers) {
					if err := PatchPort(stub, e.Tower, e.Port); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}

func BenchmarkWalkHostileMapResponse(b *testing.B) {
	stub := manyTowers(b)
	b.SetBytes(int64(len(stub)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := WalkMapResponse(stub, NDR, wire.LittleEndian); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkWalkLookupResponse(b *testing.B) {
	stub := unhex(b, olLookupResponse)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := WalkLookupResponse(stub, NDR, wire.LittleEndian); err != nil {
			b.Fatal(err)
		}
	}
}
