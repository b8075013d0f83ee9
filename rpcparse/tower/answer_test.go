package tower

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

// ports lists the endpoints of an answer as "interface-major protocol port@offset".
func ports(stub []byte, towers []TowerRef) []string {
	var list []string
	for e := range Endpoints(stub, towers) {
		list = append(list, fmt.Sprintf("%d %s %d@%d", e.Interface.Major(), ProtocolName(e.Protocol), e.Port, portOffset(stub, e)))
	}
	return list
}

// realMaps are answers to ept_map. All four layouts, and the offsets that the
// specification's examples give for them.
var realMaps = []struct {
	name, stub string
	syntax     Syntax
	ports      []string
}{
	{"ndr, one tower", olMapResponse, NDR, []string{"56 tcp 4997@112"}},
	{"ndr, two towers", exMapResponse, NDR, []string{"56 tcp 1026@116", "56 tcp 1026@200"}},
	{"ndr64, one tower", winMapResponse, NDR64, []string{"2 tcp 49683@132"}},
	{"ndr64, two towers", w19MapResponse, NDR64, []string{"4 tcp 49678@140", "4 tcp 49670@228"}},
}

func TestRealMapAnswersAreWalked(t *testing.T) {
	for _, tc := range realMaps {
		t.Run(tc.name, func(t *testing.T) {
			stub := unhex(t, tc.stub)
			got, err := WalkMapResponse(stub, tc.syntax, wire.LittleEndian)
			if err != nil {
				t.Fatal(err)
			}
			if !got.Handle.IsZero() || got.Max != 4 || got.Num != len(tc.ports) || got.Status != StatusOK {
				t.Errorf("got %+v", got)
			}
			if list := ports(stub, got.Towers); !slices.Equal(list, tc.ports) {
				t.Errorf("ports %v, want %v", list, tc.ports)
			}
			mapResponses.mustBeExact(t, stub, tc.syntax, wire.LittleEndian)
		})
	}
}

// What the encoder makes of the same towers is what Windows sent, to the byte.
func TestRealMapAnswersAreEncoded(t *testing.T) {
	for _, tc := range realMaps {
		t.Run(tc.name, func(t *testing.T) {
			stub := unhex(t, tc.stub)
			got, err := WalkMapResponse(stub, tc.syntax, wire.LittleEndian)
			if err != nil {
				t.Fatal(err)
			}
			answer := MapAnswer{Max: uint32(got.Max)}
			for _, ref := range got.Towers {
				answer.Towers = append(answer.Towers, stub[ref.Offset:ref.Offset+ref.Length])
			}
			again := mapAnswers.must(t, answer, tc.syntax, wire.LittleEndian)
			if !bytes.Equal(again, stub) {
				t.Errorf("encoded %x, want %x", again, stub)
			}
		})
	}
}

// realLookups are answers to ept_lookup of one entry each.
var realLookups = []struct {
	name, stub string
	annotation string
	tower      TowerRef
	ports      []string
	status     uint32
}{
	{"old Exchange", olLookupResponse, "MS Exchange Directory NSP Interface", TowerRef{108, 75}, []string{"56 http 5000@172"}, StatusOK},
	{"named pipe", smbLookupPipe, "mgmt", TowerRef{80, 86}, nil, StatusOK},
	{"named pipe without padding", smbLookupShortPipe, "browser", TowerRef{80, 84}, nil, StatusOK},
	{"http", smbLookupHTTP, "mgmt", TowerRef{80, 75}, []string{"1 http 593@144"}, StatusOK},
}

func TestRealLookupAnswersAreWalked(t *testing.T) {
	for _, tc := range realLookups {
		t.Run(tc.name, func(t *testing.T) {
			stub := unhex(t, tc.stub)
			got, err := WalkLookupResponse(stub, NDR, wire.LittleEndian)
			if err != nil {
				t.Fatal(err)
			}
			if got.Handle.IsZero() || got.Max != 1 || len(got.Entries) != 1 || got.Status != tc.status {
				t.Fatalf("got %+v", got)
			}
			e := got.Entries[0]
			if string(e.Annotation) != tc.annotation || e.Tower != 0 || !e.Object.IsNil() {
				t.Errorf("entry %+v, annotation %q", e, e.Annotation)
			}
			if !slices.Equal(got.Towers, []TowerRef{tc.tower}) {
				t.Errorf("towers %v, want %v", got.Towers, tc.tower)
			}
			if list := ports(stub, got.Towers); !slices.Equal(list, tc.ports) {
				t.Errorf("ports %v, want %v", list, tc.ports)
			}
			lookupResponses.mustBeExact(t, stub, NDR, wire.LittleEndian)
		})
	}
}

// The end of a list comes with an error status, a NULL handle and no entries.
func TestEndOfALookupIsAnAnswerWithoutEntries(t *testing.T) {
	got, err := WalkLookupResponse(unhex(t, smbLookupEnd), NDR, wire.LittleEndian)
	if err != nil {
		t.Fatal(err)
	}
	if !got.Handle.IsZero() || len(got.Entries) != 0 || len(got.Towers) != 0 || got.Status != StatusNotRegistered {
		t.Errorf("got %+v", got)
	}
}

// Floor 5 of an HTTP tower has another protocol identifier than IP on old
// Exchange, and is not taken for an address.
func TestUnknownHostFloorIsLeftAlone(t *testing.T) {
	stub := unhex(t, olLookupResponse)
	tower, err := TowerRef{108, 75}.Parse(stub)
	if err != nil {
		t.Fatal(err)
	}
	if f := tower.Floor(4); f.Protocol() != 0x20 || len(f.RHS) != 4 {
		t.Errorf("floor 5 is %x, %x", f.LHS, f.RHS)
	}
	if addr, ok := tower.Address(); ok {
		t.Errorf("address %v", addr)
	}
	if want := "f5cc5a18-4264-101a-8c59-08002b2f8426 v56.0 http :5000"; tower.String() != want {
		t.Errorf("prints %q, want %q", tower, want)
	}
}

// A server with more to say gives a handle; the client sends it back.
func TestHandleOfAnAnswerComesBackInTheNextRequest(t *testing.T) {
	answer, err := WalkLookupResponse(unhex(t, smbLookupPipe), NDR, wire.LittleEndian)
	if err != nil {
		t.Fatal(err)
	}
	request, err := ParseLookupRequest(unhex(t, smbLookupContinue), NDR, wire.LittleEndian)
	if err != nil {
		t.Fatal(err)
	}
	if request.Handle != answer.Handle || request.Handle.IsZero() {
		t.Errorf("answered %x, asked with %x", answer.Handle, request.Handle)
	}
	for _, e := range encodings {
		more := Handle{3: 1, 19: 2}
		stub := mapAnswers.must(t, MapAnswer{Handle: more, Max: 1, Towers: [][]byte{nspiTower(1)}}, e.syntax, e.order)
		if got, err := WalkMapResponse(stub, e.syntax, e.order); err != nil || got.Handle != more {
			t.Errorf("%s: answer %x, %v", e.name, got.Handle, err)
		}
		stub = mapRequests.must(t, MapRequest{Tower: nspiTower(0), Handle: more, MaxTowers: 1}, e.syntax, e.order)
		if got, err := ParseMapRequest(stub, e.syntax, e.order); err != nil || got.Handle != more {
			t.Errorf("%s: request %x, %v", e.name, got.Handle, err)
		}
	}
}

func TestNamesOfOperationsAndStatus(t *testing.T) {
	for opnum, want := range map[uint16]string{OpnumInsert: "ept_insert", OpnumLookup: "ept_lookup", OpnumMap: "ept_map", 6: "ept_mgmt_delete", 7: "opnum 7"} {
		if got := OpnumName(opnum); got != want {
			t.Errorf("opnum %d: %q, want %q", opnum, got, want)
		}
	}
	for status, want := range map[uint32]string{StatusOK: "ok", StatusCannotPerform: "ept_s_cant_perform_op", StatusNotRegistered: "ept_s_not_registered", 5: "0x00000005"} {
		if got := StatusName(status); got != want {
			t.Errorf("status %#x: %q, want %q", status, got, want)
		}
	}
	for s, want := range map[Syntax]string{NDR: "ndr", NDR64: "ndr64", 7: "syntax(7)"} {
		if got := s.String(); got != want {
			t.Errorf("syntax %d: %q, want %q", s, got, want)
		}
	}
	if got := fmt.Sprintf("%x", EPMInterface.Append(nil, wire.LittleEndian)); got != "0883afe11f5dc91191a408002b14a0fa03000000" {
		t.Errorf("interface %s", got)
	}
}
