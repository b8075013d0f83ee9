package tower

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

func FuzzTower(f *testing.F) {
	f.Add(nspiTower(49677))
	f.Add(AppendHTTP(nil, nspiInterface, ndrSyntax, 6004, host))
	f.Add(pipeTower(`\pipe\epmapper`))
	f.Add([]byte{0xff, 0xff})
	f.Add([]byte{1, 0, 1, 0, ProtocolTCP, 0, 0})
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, octets []byte) {
		tower, err := Parse(octets)
		if err != nil {
			if class := wire.ClassOf(err); class != wire.ClassInvalid && class != wire.ClassLimit {
				t.Fatal(err)
			}
			return
		}
		size := floorCountSize
		for i := range tower.Len() {
			floor := tower.Floor(i)
			size += 4 + len(floor.LHS) + len(floor.RHS)
		}
		if size != len(octets) || tower.Len() > MaxFloors {
			t.Fatalf("%d floors of %d octets, there are %d", tower.Len(), size, len(octets))
		}
		_, _, _ = tower.Interface(), tower.Transfer(), tower.String()
		checkPatched(t, octets, []TowerRef{{0, len(octets)}})
	})
}

// checkPatched writes every port and expects those bytes to change alone.
func checkPatched(t *testing.T, stub []byte, towers []TowerRef) {
	t.Helper()
	got, want := bytes.Clone(stub), bytes.Clone(stub)
	end := 0
	for _, ref := range towers {
		if ref.Offset < end || ref.Offset+ref.Length > len(stub) {
			t.Fatalf("tower at %d, %d bytes, behind %d in a stub of %d", ref.Offset, ref.Length, end, len(stub))
		}
		end = ref.Offset + ref.Length
	}
	for e := range Endpoints(got, towers) {
		if err := PatchPort(got, e.Tower, ^e.Port); err != nil {
			t.Fatal(err)
		}
		at := portOffset(got, e)
		want[at], want[at+1] = ^want[at], ^want[at+1]
	}
	if !bytes.Equal(got, want) {
		t.Fatalf("patched %x, want %x", got, want)
	}
}

// addStubs seeds a fuzz target with stubs in both syntaxes.
func addStubs(f *testing.F, ndr []string, ndr64 []string) {
	for _, s := range ndr {
		f.Add(unhex(f, s), byte(NDR), false)
		f.Add(unhex(f, s), byte(NDR64), false)
	}
	for _, s := range ndr64 {
		f.Add(unhex(f, s), byte(NDR64), false)
	}
	f.Add([]byte{}, byte(NDR), true)
}

func FuzzMapResponse(f *testing.F) {
	addStubs(f, []string{exMapResponse, olMapResponse}, []string{w19MapResponse, winMapResponse})
	for _, e := range encodings {
		f.Add(sharedMap(e.syntax, e.order, []uint64{7, 9, 7, 0}, nspiTower(1), pipeTower("x")), byte(e.syntax), bool(e.order))
	}
	f.Fuzz(func(t *testing.T, stub []byte, s byte, big bool) {
		syntax, order := Syntax(s%3), wire.Order(big)
		got, err := WalkMapResponse(stub, syntax, order)
		if err != nil {
			if got.Towers != nil {
				t.Fatal("towers came with an error")
			}
			return
		}
		if got.Num > got.Max || got.Max > MaxTowers || len(got.Towers) > got.Num {
			t.Fatalf("%d towers, %d elements, room for %d", len(got.Towers), got.Num, got.Max)
		}
		checkPatched(t, stub, got.Towers)
		again := mapAnswers.must(t, MapAnswer{Handle: got.Handle, Max: uint32(got.Max), Towers: octetsOf(stub, got.Towers), Status: got.Status}, syntax, order)
		rewalked, err := WalkMapResponse(again, syntax, order)
		if err != nil || len(rewalked.Towers) != len(got.Towers) || rewalked.Status != got.Status {
			t.Fatalf("encoded again it walks as %+v, %v, was %+v", rewalked, err, got)
		}
	})
}

func octetsOf(stub []byte, towers []TowerRef) (list [][]byte) {
	for _, ref := range towers {
		list = append(list, stub[ref.Offset:ref.Offset+ref.Length])
	}
	return list
}

func FuzzLookupResponse(f *testing.F) {
	addStubs(f, []string{olLookupResponse, smbLookupPipe, smbLookupShortPipe, smbLookupHTTP, smbLookupEnd}, nil)
	for _, e := range encodings {
		f.Add(sharedLookup(e.syntax, e.order, []uint64{7, 9, 7, 0}, nspiTower(1), pipeTower("x")), byte(e.syntax), bool(e.order))
	}
	f.Fuzz(func(t *testing.T, stub []byte, s byte, big bool) {
		got, err := WalkLookupResponse(stub, Syntax(s%3), wire.Order(big))
		if err != nil {
			if got.Towers != nil || got.Entries != nil {
				t.Fatal("entries came with an error")
			}
			return
		}
		if len(got.Entries) > got.Max || got.Max > MaxTowers || len(got.Towers) > len(got.Entries) {
			t.Fatalf("%d towers, %d entries, room for %d", len(got.Towers), len(got.Entries), got.Max)
		}
		for _, e := range got.Entries {
			if e.Tower < -1 || e.Tower >= len(got.Towers) || len(e.Annotation) > MaxAnnotation {
				t.Fatalf("entry %+v of %d towers", e, len(got.Towers))
			}
		}
		checkPatched(t, stub, got.Towers)
	})
}

func FuzzMapRequest(f *testing.F) {
	addStubs(f, []string{exMapRequest, smbMapRequest}, []string{w19MapRequest})
	f.Fuzz(func(t *testing.T, stub []byte, s byte, big bool) {
		syntax, order := Syntax(s%3), wire.Order(big)
		got, err := ParseMapRequest(stub, syntax, order)
		if err != nil {
			return
		}
		again, err := ParseMapRequest(mapRequests.must(t, got, syntax, order), syntax, order)
		if err != nil || !reflect.DeepEqual(again, got) {
			t.Fatalf("%+v, %v came back as %+v", got, err, again)
		}
	})
}

func FuzzLookupRequest(f *testing.F) {
	addStubs(f, []string{olLookupRequest, smbLookupRequest, smbLookupContinue}, nil)
	f.Fuzz(func(t *testing.T, stub []byte, s byte, big bool) {
		syntax, order := Syntax(s%3), wire.Order(big)
		got, err := ParseLookupRequest(stub, syntax, order)
		if err != nil {
			return
		}
		again, err := ParseLookupRequest(lookupRequests.must(t, got, syntax, order), syntax, order)
		if err != nil || again != got {
			t.Fatalf("%+v, %v came back as %+v", got, err, again)
		}
	})
}
