package tower

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

// drawTower draws the octets of a tower: of a port, a pipe, or nonsense, which
// a walk must step over all the same.
func drawTower(t *rapid.T) []byte {
	switch rapid.IntRange(0, 2).Draw(t, "kind") {
	case 0:
		return nspiTower(rapid.Uint16().Draw(t, "port"))
	case 1:
		return pipeTower(rapid.StringMatching(`[a-z]{0,9}`).Draw(t, "pipe"))
	}
	return rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(t, "octets")
}

func TestEveryTowerOfAMapAnswerIsFound(t *testing.T) {
	for _, e := range encodings {
		t.Run(e.name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				a := MapAnswer{Handle: drawHandle(t), Status: rapid.Uint32().Draw(t, "status")}
				for range rapid.IntRange(0, 6).Draw(t, "towers") {
					a.Towers = append(a.Towers, drawTower(t))
				}
				a.Max = uint32(rapid.IntRange(len(a.Towers), MaxTowers).Draw(t, "max"))
				stub := mapAnswers.must(t, a, e.syntax, e.order)
				got, err := WalkMapResponse(stub, e.syntax, e.order)
				if err != nil {
					t.Fatal(err)
				}
				if got.Handle != a.Handle || got.Status != a.Status || got.Max != int(a.Max) || got.Num != len(a.Towers) {
					t.Fatalf("got %+v, want %+v", got, a)
				}
				wantTowers(t, stub, got.Towers, a.Towers)
				mapResponses.mustBeShort(t, stub, e.syntax, e.order)
			})
		})
	}
}

func TestEveryTowerOfALookupAnswerIsFound(t *testing.T) {
	for _, e := range encodings {
		t.Run(e.name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				a := LookupAnswer{Handle: drawHandle(t), Status: rapid.Uint32().Draw(t, "status")}
				var octets [][]byte
				for range rapid.IntRange(0, 4).Draw(t, "entries") {
					entry := AnswerEntry{Annotation: rapid.StringMatching(`[ -~]{0,63}`).Draw(t, "annotation")}
					_, entry.Object = drawUUID(t)
					if rapid.Bool().Draw(t, "tower") {
						entry.Tower = drawTower(t)
						octets = append(octets, entry.Tower)
					}
					a.Entries = append(a.Entries, entry)
				}
				a.Max = uint32(rapid.IntRange(len(a.Entries), MaxTowers).Draw(t, "max"))
				stub := lookupAnswers.must(t, a, e.syntax, e.order)
				got, err := WalkLookupResponse(stub, e.syntax, e.order)
				if err != nil {
					t.Fatal(err)
				}
				if got.Handle != a.Handle || got.Status != a.Status || got.Max != int(a.Max) || len(got.Entries) != len(a.Entries) {
					t.Fatalf("got %+v, want %+v", got, a)
				}
				wantTowers(t, stub, got.Towers, octets)
				wantEntries(t, got.Entries, a.Entries)
				lookupResponses.mustBeShort(t, stub, e.syntax, e.order)
			})
		})
	}
}

func wantTowers(t rapid.TB, stub []byte, got []TowerRef, want [][]byte) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d towers, want %d", len(got), len(want))
	}
	for i, ref := range got {
		if octets := stub[ref.Offset : ref.Offset+ref.Length]; !bytes.Equal(octets, want[i]) {
			t.Fatalf("tower %d is %x, want %x", i, octets, want[i])
		}
	}
}

func wantEntries(t rapid.TB, got []Entry, want []AnswerEntry) {
	t.Helper()
	next := 0
	for i, e := range got {
		if e.Object != want[i].Object || string(e.Annotation) != want[i].Annotation {
			t.Fatalf("entry %d is %+v, want %+v", i, e, want[i])
		}
		tower := -1
		if want[i].Tower != nil {
			tower, next = next, next+1
		}
		if e.Tower != tower {
			t.Fatalf("entry %d has tower %d, want %d", i, e.Tower, tower)
		}
	}
}

// A referent that was seen before has no second body, wherever it comes again.
func TestRepeatedReferentNamesTheSameTower(t *testing.T) {
	first, second := nspiTower(1000), nspiTower(2000)
	for _, e := range encodings {
		t.Run(e.name, func(t *testing.T) {
			stub := sharedMap(e.syntax, e.order, []uint64{7, 9, 7, 0, 9, 7}, first, second)
			m, err := WalkMapResponse(stub, e.syntax, e.order)
			if err != nil {
				t.Fatal(err)
			}
			if m.Num != 6 {
				t.Errorf("%d elements, want 6", m.Num)
			}
			wantTowers(t, stub, m.Towers, [][]byte{first, second})
			mapResponses.mustBeExact(t, stub, e.syntax, e.order)

			stub = sharedLookup(e.syntax, e.order, []uint64{7, 0, 7, 9, 9}, first, second)
			l, err := WalkLookupResponse(stub, e.syntax, e.order)
			if err != nil {
				t.Fatal(err)
			}
			wantTowers(t, stub, l.Towers, [][]byte{first, second})
			for i, want := range []int{0, -1, 0, 1, 1} {
				if l.Entries[i].Tower != want {
					t.Errorf("entry %d has tower %d, want %d", i, l.Entries[i].Tower, want)
				}
			}
		})
	}
}

// sharedMap is an ept_map answer with these referents and bodies.
func sharedMap(s Syntax, o wire.Order, referents []uint64, bodies ...[]byte) []byte {
	w := newWriter(nil, s, o)
	w.handle(Handle{})
	w.U32(uint32(len(referents)))
	w.array(MaxTowers, len(referents))
	for _, r := range referents {
		w.Word(r)
	}
	for _, octets := range bodies {
		w.tower(octets)
	}
	w.U32(StatusOK)
	return w.Dst
}

// sharedLookup is an ept_lookup answer with these referents and bodies.
func sharedLookup(s Syntax, o wire.Order, referents []uint64, bodies ...[]byte) []byte {
	w := newWriter(nil, s, o)
	w.handle(Handle{})
	w.U32(uint32(len(referents)))
	w.array(MaxTowers, len(referents))
	for _, r := range referents {
		w.Align(s.WordSize())
		w.uuid(wire.UUID{})
		w.Word(r)
		w.Word(0)
		w.Word(1)
		w.Dst = append(w.Dst, 0)
	}
	for _, octets := range bodies {
		w.tower(octets)
	}
	w.U32(StatusOK)
	return w.Dst
}

// Nobody has shown whether NDR64 pads a tower to eight bytes in front of the
// status. The length of the stub tells.
func TestStatusIsFoundBehindEitherPadding(t *testing.T) {
	octets := pipeTower("12345")
	for len(octets)%8 != 5 { // the octets start at 68 and so end one byte behind a multiple of eight
		octets = append(octets, 0)
	}
	a := MapAnswer{Max: 1, Towers: [][]byte{octets}, Status: 0x01020304}
	stub := mapAnswers.must(t, a, NDR64, wire.LittleEndian)
	if len(stub)%8 != 0 {
		t.Fatalf("the status of %d bytes is 8-aligned anyway", len(stub))
	}
	padded := append(bytes.Clone(stub[:len(stub)-4]), 0, 0, 0, 0)
	padded = append(padded, stub[len(stub)-4:]...)
	for _, b := range [][]byte{stub, padded} {
		if got, err := WalkMapResponse(b, NDR64, wire.LittleEndian); err != nil || got.Status != a.Status {
			t.Errorf("%d bytes: status %#x, %v", len(b), got.Status, err)
		}
	}
	mapResponses.mustFail(t, append(padded, 0), NDR64, wire.LittleEndian, wire.ClassInvalid, "stub_length")
}
