package tower

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"
	"reflect"
	"slices"
	"testing"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

func TestPatchingChangesTwoBytesPerTowerAndNothingElse(t *testing.T) {
	for _, tc := range realMaps {
		t.Run(tc.name, func(t *testing.T) {
			stub := unhex(t, tc.stub)
			before := bytes.Clone(stub)
			walked, err := WalkMapResponse(stub, tc.syntax, wire.LittleEndian)
			if err != nil {
				t.Fatal(err)
			}
			port := uint16(0xabcd)
			for e := range Endpoints(stub, walked.Towers) {
				if err := PatchPort(stub, e.Tower, port); err != nil {
					t.Fatal(err)
				}
				binary.BigEndian.PutUint16(before[portOffset(stub, e):], port)
				port++
			}
			if !bytes.Equal(stub, before) {
				t.Errorf("got %x, want %x", stub, before)
			}
			again, err := WalkMapResponse(stub, tc.syntax, wire.LittleEndian)
			if err != nil || !reflect.DeepEqual(again, walked) {
				t.Errorf("walks as %+v, %v", again, err)
			}
			port = 0xabcd
			for e := range Endpoints(stub, again.Towers) {
				if e.Port != port {
					t.Errorf("port %d, want %d", e.Port, port)
				}
				port++
			}
		})
	}
}

func TestOnlyTowersOfPortsAreOffered(t *testing.T) {
	http := AppendHTTP(nil, drsInterface, ndrSyntax, 6004, host)
	udp := bytes.Clone(nspiTower(135))
	udp[61] = ProtocolUDP
	broken := bytes.Clone(nspiTower(1))
	broken[0] = 7
	a := MapAnswer{Max: 6, Towers: [][]byte{nspiTower(1000), pipeTower("x"), http, udp, broken, nil}}
	for _, e := range encodings {
		t.Run(e.name, func(t *testing.T) {
			stub := mapAnswers.must(t, a, e.syntax, e.order)
			walked, err := WalkMapResponse(stub, e.syntax, e.order)
			if err != nil {
				t.Fatal(err)
			}
			var got []Endpoint
			for e := range Endpoints(stub, walked.Towers) {
				got = append(got, e)
			}
			want := []Endpoint{
				{walked.Towers[0], nspiInterface, ndrSyntax, ProtocolTCP, 1000, host},
				{walked.Towers[2], drsInterface, ndrSyntax, ProtocolHTTP, 6004, host},
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got %+v, want %+v", got, want)
			}
			for range Endpoints(stub, walked.Towers) {
				break // a loop may end early
			}
		})
	}
}

func TestPatchingOutsideTheStubIsRefused(t *testing.T) {
	stub := nspiTower(1)
	const maxInt = int(^uint(0) >> 1)
	for _, ref := range []TowerRef{{-1, 75}, {0, -1}, {0, 76}, {1, 75}, {76, 0}, {maxInt, 75}, {75, maxInt}, {maxInt, maxInt}} {
		if err := PatchPort(stub, ref, 2); !errors.Is(err, &wire.Error{Class: wire.ClassInvalid, Name: "tower_ref"}) {
			t.Errorf("%+v: %v", ref, err)
		}
	}
	if !bytes.Equal(stub, nspiTower(1)) {
		t.Error("the stub was changed")
	}
}

func TestAddressesAreReplacedByThatOfTheProxy(t *testing.T) {
	proxy := netip.MustParseAddr("192.0.2.1")
	tower := func(address string) []byte {
		return BuildTCP(nspiInterface, ndrSyntax, 1000, netip.MustParseAddr(address))
	}
	long := bytes.Clone(tower("10.0.0.2"))
	long[66+3] = 16 // the length of an address of IPv6
	long = append(long, make([]byte, 12)...)
	none := bytes.Clone(tower("10.0.0.2")[:66])
	none[0] = 4
	for name, tc := range map[string]struct {
		octets  []byte
		address netip.Addr
		want    []byte
	}{
		"IPv4":                         {tower("10.0.0.2"), proxy, tower("192.0.2.1")},
		"IPv4 written as IPv6":         {tower("10.0.0.2"), netip.MustParseAddr("::ffff:192.0.2.1"), tower("192.0.2.1")},
		"a proxy at IPv6":              {tower("10.0.0.2"), netip.MustParseAddr("2001:db8::1"), tower("0.0.0.0")},
		"an address that is not known": {tower("10.0.0.2"), netip.Addr{}, tower("0.0.0.0")},
		"none that clients could use":  {tower("0.0.0.0"), proxy, tower("0.0.0.0")},
		"no floor for it":              {none, proxy, none},
		"no room for it":               {long, proxy, slices.Concat(long[:71], make([]byte, 16))},
	} {
		got := bytes.Clone(tc.octets)
		if err := PatchAddress(got, TowerRef{Length: len(got)}, tc.address); err != nil || !bytes.Equal(got, tc.want) {
			t.Errorf("%s: %x, %v, want %x", name, got, err, tc.want)
		}
	}
	if err := PatchAddress(none, TowerRef{Length: 76}, proxy); !errors.Is(err, &wire.Error{Class: wire.ClassInvalid, Name: "tower_ref"}) {
		t.Errorf("outside the stub: %v", err)
	}
}
