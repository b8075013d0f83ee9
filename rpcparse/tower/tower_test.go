package tower

import (
	"bytes"
	"encoding/hex"
	"errors"
	"net/netip"
	"testing"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

// The example of the specification's layout: NSPI at 10.10.20.10:49677.
const nspiOctets = `0500 1300 0d185accf564421a108c5908002b2f84263800 0200 0000
	1300 0d045d888aeb1cc9119fe808002b1048600200 0200 0000
	0100 0b 0200 0000 0100 07 0200 c20d 0100 09 0400 0a0a140a`

func TestTCPTowerIsReadAndBuilt(t *testing.T) {
	octets := unhex(t, nspiOctets)
	if built := nspiTower(49677); !bytes.Equal(built, octets) {
		t.Errorf("built %x, want %x", built, octets)
	}
	got, err := Parse(octets)
	if err != nil {
		t.Fatal(err)
	}
	if got.Len() != 5 || got.Interface() != nspiInterface || got.Transfer() != ndrSyntax || got.Protocol() != ProtocolTCP {
		t.Errorf("got %v: %d floors", got, got.Len())
	}
	if port, ok := got.Port(); !ok || port != 49677 || got.PortOffset() != 64 {
		t.Errorf("port %d, %v, at %d", port, ok, got.PortOffset())
	}
	if addr, ok := got.Address(); !ok || addr != host {
		t.Errorf("address %v, %v", addr, ok)
	}
	if want := "f5cc5a18-4264-101a-8c59-08002b2f8426 v56.0 tcp 10.10.20.10:49677"; got.String() != want {
		t.Errorf("prints %q, want %q", got, want)
	}
}

func TestHTTPTowerHasAPort(t *testing.T) {
	got, err := Parse(AppendHTTP([]byte{}, nspiInterface, ndrSyntax, 6004, netip.Addr{}))
	if err != nil {
		t.Fatal(err)
	}
	if port, ok := got.Port(); !ok || port != 6004 || got.Protocol() != ProtocolHTTP {
		t.Errorf("port %d, %v, protocol %#x", port, ok, got.Protocol())
	}
	if addr, ok := got.Address(); !ok || addr != netip.IPv4Unspecified() {
		t.Errorf("address %v, %v", addr, ok)
	}
}

func TestAddressThatIsNotIPv4IsWrittenAsUnspecified(t *testing.T) {
	for _, tc := range []struct{ addr, want string }{
		{"192.0.2.1", "192.0.2.1"},
		{"::ffff:192.0.2.1", "192.0.2.1"},
		{"2001:db8::1", "0.0.0.0"},
	} {
		got, err := Parse(BuildTCP(nspiInterface, ndrSyntax, 1, netip.MustParseAddr(tc.addr)))
		if err != nil {
			t.Fatal(err)
		}
		if addr, _ := got.Address(); addr.String() != tc.want {
			t.Errorf("%s became %v, want %s", tc.addr, addr, tc.want)
		}
	}
}

func TestMinorVersionSurvives(t *testing.T) {
	iface := wire.SyntaxID{UUID: nspiInterface.UUID, Version: 7<<16 | 56}
	got, err := Parse(BuildTCP(iface, ndrSyntax, 1, host))
	if err != nil || got.Interface() != iface {
		t.Errorf("got %v, %v", got.Interface(), err)
	}
}

func TestTowersWithoutAPortAreGood(t *testing.T) {
	for name, tc := range map[string]struct {
		octets []byte
		floors int
		prints string
	}{
		"named pipe": {pipeTower(`\pipe\lsass`), 5, "f5cc5a18-4264-101a-8c59-08002b2f8426 v56.0 named_pipe"},
		"no floors":  {[]byte{0, 0}, 0, "00000000-0000-0000-0000-000000000000 v0.0 0x00"},
		"one floor":  {[]byte{1, 0, 1, 0, ProtocolLocal, 0, 0}, 1, "00000000-0000-0000-0000-000000000000 v0.0 0x00"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Parse(tc.octets)
			if err != nil {
				t.Fatal(err)
			}
			if _, ok := got.Port(); ok || got.PortOffset() != -1 || got.Len() != tc.floors {
				t.Errorf("%d floors, port at %d", got.Len(), got.PortOffset())
			}
			if _, ok := got.Address(); ok {
				t.Error("has an address")
			}
			if got.String() != tc.prints {
				t.Errorf("prints %q, want %q", got, tc.prints)
			}
			if err := PatchPort(tc.octets, TowerRef{Length: len(tc.octets)}, 1); !errors.Is(err, &wire.Error{Class: wire.ClassInvalid, Name: "port"}) {
				t.Errorf("patching it: %v", err)
			}
		})
	}
}

func TestFloorOfAnotherFormIsNoSyntax(t *testing.T) {
	for name, floor := range map[string]Floor{
		"other protocol": {LHS: make([]byte, lhsUUID), RHS: []byte{0, 0}},
		"short UUID":     {LHS: append([]byte{ProtocolUUID}, make([]byte, 17)...), RHS: []byte{0, 0}},
		"no minor":       {LHS: append([]byte{ProtocolUUID}, make([]byte, 18)...)},
	} {
		if id, ok := floor.Syntax(); ok || id != (wire.SyntaxID{}) {
			t.Errorf("%s: %v, %v", name, id, ok)
		}
	}
}

func TestEveryTruncatedTowerIsInvalid(t *testing.T) {
	for _, octets := range [][]byte{unhex(t, nspiOctets), pipeTower(`\pipe\epmapper`)} {
		for n := range octets {
			if _, err := Parse(octets[:n:n]); wire.ClassOf(err) != wire.ClassInvalid {
				t.Errorf("%d of %d octets: %v", n, len(octets), err)
			}
		}
	}
}

func TestMalformedTowersAreRefused(t *testing.T) {
	for _, tc := range []struct {
		name, octets string
		class        wire.Class
		field        string
	}{
		{"65535 floors in two bytes", "ffff", wire.ClassLimit, "floor_count"},
		{"seven floors", "0700", wire.ClassLimit, "floor_count"},
		{"more floors than octets", "0100", wire.ClassInvalid, "floor_lhs"},
		{"floor without a protocol", "0100 0000 0000", wire.ClassInvalid, "floor_lhs"},
		{"lhs over the end", "0100 ffff 0d", wire.ClassInvalid, "floor_lhs"},
		{"rhs over the end", "0100 0100 0b ffff 00", wire.ClassInvalid, "floor_rhs"},
		{"no rhs", "0100 0100 0b", wire.ClassInvalid, "floor_rhs"},
		{"empty TCP port", "0100 0100 07 0000", wire.ClassInvalid, "floor_port"},
		{"TCP port of one byte", "0100 0100 07 0100 00", wire.ClassInvalid, "floor_port"},
		{"HTTP port of four bytes", "0100 0100 1f 0400 00000000", wire.ClassInvalid, "floor_port"},
		{"UDP without a port", "0100 0100 08 0000", wire.ClassInvalid, "floor_port"},
		{"octets behind the last floor", nspiOctets + "00", wire.ClassInvalid, "tower_length"},
		{"2001 octets", "0000" + hex.EncodeToString(make([]byte, 1999)), wire.ClassLimit, "tower_length"},
		{"nothing", "", wire.ClassInvalid, "floor_count"},
		{"one octet", "05", wire.ClassInvalid, "floor_count"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := Parse(unhex(t, tc.octets))
			if !errors.Is(err, &wire.Error{Class: tc.class, Name: tc.field}) {
				t.Errorf("error %v, want %v %s", err, tc.class, tc.field)
			}
			if got.Len() != 0 || got.octets != nil {
				t.Errorf("a tower came with the error: %v", got)
			}
		})
	}
}

// Six floors of the largest size still are within the limit of 2000 octets.
func TestLongestTowerIsGood(t *testing.T) {
	octets := []byte{1, 0, 1, 0, ProtocolNamedPipe, 0, 0}
	rest := MaxOctets - len(octets)
	octets[5], octets[6] = byte(rest), byte(rest>>8)
	octets = append(octets, make([]byte, rest)...)
	got, err := Parse(octets)
	if err != nil || len(got.Floor(0).RHS) != rest {
		t.Errorf("%v, %v", got, err)
	}
}

func TestFloorThatIsNotThereIsAMistakeOfTheCaller(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	Tower{}.Floor(0)
}

func TestNamesOfProtocols(t *testing.T) {
	for id, want := range map[byte]string{
		ProtocolTCP: "tcp", ProtocolUDP: "udp", ProtocolIP: "ip", ProtocolConnectionless: "ncadg", ProtocolConnection: "ncacn",
		ProtocolLocal: "ncalrpc", ProtocolUUID: "uuid", ProtocolNamedPipe: "named_pipe", ProtocolLocalPipe: "local_pipe",
		ProtocolNetBIOS: "netbios", ProtocolHTTP: "http", 0x20: "0x20",
	} {
		if got := ProtocolName(id); got != want {
			t.Errorf("%#x: %q, want %q", id, got, want)
		}
	}
}
