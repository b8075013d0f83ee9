package tower

import (
	"bytes"
	"context"
	"slices"
	"testing"

	"github.com/oiweiwei/go-msrpc/msrpc/dcetypes"
	"github.com/oiweiwei/go-msrpc/msrpc/dtyp"
	epm "github.com/oiweiwei/go-msrpc/msrpc/epm/epm/v3"
	"github.com/oiweiwei/go-msrpc/ndr"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

// A second implementation encodes the same answers. Its referent ids and maximum
// counts differ from Windows', so the walk has to agree, not the bytes. It only
// ever encodes: its decoders are not made for hostile bytes.

// oracle encodes v as the other implementation does.
func oracle(t *testing.T, v ndr.Marshaler, s Syntax, o wire.Order) []byte {
	t.Helper()
	drep := ndr.DefaultDataRepresentation
	if o == wire.BigEndian {
		drep = ndr.DataRepresentation(ndr.ByteOrderBigEndian)
	}
	codec := ndr.NDR20(nil, drep)
	if s == NDR64 {
		codec = ndr.NDR64(nil)
	}
	b, err := codec.Marshal(context.Background(), v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func oracleTower(octets []byte) *dcetypes.Tower {
	if octets == nil {
		return nil
	}
	return &dcetypes.Tower{TowerLength: uint32(len(octets)), TowerOctetString: octets}
}

var (
	oracleUUID = &dtyp.GUID{Data1: 0x01020304, Data2: 0x0506, Data3: 0x0708, Data4: []byte{9, 10, 11, 12, 13, 14, 15, 16}}
	ourUUID    = wire.MustUUID("01020304-0506-0708-090a-0b0c0d0e0f10")
)

func TestMapAnswersAgreeWithAnotherImplementation(t *testing.T) {
	for _, e := range encodings {
		t.Run(e.name, func(t *testing.T) {
			for _, towers := range [][][]byte{
				{},
				{nspiTower(1)},
				{nspiTower(1), nspiTower(2)},
				{pipeTower(""), pipeTower("1"), nspiTower(1), pipeTower("12"), pipeTower("123"), nspiTower(2), pipeTower("1234")},
			} {
				v := &epm.MapResponse{MaxTowers: uint32(len(towers)), EntryHandle: &epm.LookupHandle{}, Status: 0x16c9a0d6}
				for _, octets := range towers {
					v.Towers = append(v.Towers, oracleTower(octets))
				}
				stub := oracle(t, v, e.syntax, e.order)
				got, err := WalkMapResponse(stub, e.syntax, e.order)
				if err != nil {
					t.Fatalf("%d towers: %v", len(towers), err)
				}
				wantTowers(t, stub, got.Towers, towers)
				if got.Status != StatusNotRegistered || got.Max != len(towers) {
					t.Errorf("got %+v", got)
				}
			}
		})
	}
}

func TestLookupAnswersAgreeWithAnotherImplementation(t *testing.T) {
	entries := []AnswerEntry{
		{Object: ourUUID, Tower: nspiTower(1), Annotation: "MS NT Directory NSP Interface"},
		{Annotation: "no tower"},
		{Object: ourUUID, Tower: pipeTower("1"), Annotation: "x"},
		{Tower: nspiTower(2)},
	}
	for _, e := range encodings {
		t.Run(e.name, func(t *testing.T) {
			v := &epm.LookupResponse{MaxEntries: uint32(len(entries)), EntriesLength: uint32(len(entries)), Status: StatusOK}
			for _, entry := range entries {
				other := &epm.Entry{Tower: oracleTower(entry.Tower), Annotation: entry.Annotation}
				if !entry.Object.IsNil() {
					other.Object = oracleUUID
				}
				v.Entries = append(v.Entries, other)
			}
			stub := oracle(t, v, e.syntax, e.order)
			got, err := WalkLookupResponse(stub, e.syntax, e.order)
			if err != nil {
				t.Fatal(err)
			}
			wantEntries(t, got.Entries, entries)
			wantTowers(t, stub, got.Towers, [][]byte{nspiTower(1), pipeTower("1"), nspiTower(2)})
			want := []string{"56 tcp 1@", "56 tcp 2@"}
			for i, s := range ports(stub, got.Towers) {
				if !bytes.HasPrefix([]byte(s), []byte(want[i])) {
					t.Errorf("port %d is %s, want %s", i, s, want[i])
				}
			}
		})
	}
}

func TestRequestsAgreeWithAnotherImplementation(t *testing.T) {
	for _, e := range encodings {
		t.Run(e.name, func(t *testing.T) {
			for _, object := range []*dtyp.GUID{nil, oracleUUID} {
				stub := oracle(t, &epm.MapRequest{Object: object, MapTower: oracleTower(nspiTower(0)), MaxTowers: 4}, e.syntax, e.order)
				m, err := ParseMapRequest(stub, e.syntax, e.order)
				if err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(m.Tower, nspiTower(0)) || m.MaxTowers != 4 || m.HasObject != (object != nil) || m.HasObject && m.Object != ourUUID {
					t.Errorf("map: %+v", m)
				}
				stub = oracle(t, &epm.LookupRequest{
					InquiryType: InquireBoth, Object: object, VersOption: 2, MaxEntries: 5,
					InterfaceID: &dcetypes.InterfaceID{UUID: oracleUUID, VersMajor: 56, VersMinor: 7},
				}, e.syntax, e.order)
				l, err := ParseLookupRequest(stub, e.syntax, e.order)
				if err != nil {
					t.Fatal(err)
				}
				want := LookupRequest{
					Inquiry: InquireBoth, HasObject: m.HasObject, Object: m.Object, VersOption: 2, MaxEntries: 5,
					HasInterface: true, Interface: wire.SyntaxID{UUID: ourUUID, Version: 7<<16 | 56},
				}
				if l != want {
					t.Errorf("lookup: %+v, want %+v", l, want)
				}
			}
		})
	}
}

// What a simulated server says must be what any client decodes.
func TestOurAnswersAreDecodedByAnotherImplementation(t *testing.T) {
	a := MapAnswer{Max: 4, Towers: [][]byte{nspiTower(1000), pipeTower("x"), nspiTower(2000)}, Status: StatusOK}
	for _, e := range encodings {
		t.Run(e.name, func(t *testing.T) {
			stub := mapAnswers.must(t, a, e.syntax, e.order)
			drep := ndr.DefaultDataRepresentation
			if e.order == wire.BigEndian {
				drep = ndr.DataRepresentation(ndr.ByteOrderBigEndian)
			}
			codec := ndr.NDR20(stub, drep)
			if e.syntax == NDR64 {
				codec = ndr.NDR64(stub)
			}
			var got epm.MapResponse
			if err := codec.Unmarshal(context.Background(), &got); err != nil {
				t.Fatal(err)
			}
			if len(got.Towers) != len(a.Towers) || got.Status != a.Status {
				t.Fatalf("got %+v", got)
			}
			for i, tower := range got.Towers {
				if !bytes.Equal(tower.TowerOctetString, a.Towers[i]) {
					t.Errorf("tower %d is %x, want %x", i, tower.TowerOctetString, a.Towers[i])
				}
			}
		})
	}
}
