package tower

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

// The floors of an RPC tower, counted from zero (C706 appendix L).
const (
	floorInterface = iota // the abstract syntax
	floorTransfer         // the transfer syntax
	floorRPC              // connection-oriented, connectionless or local
	floorTransport        // port or pipe name
	floorHost             // address or host name; absent in local towers
)

// ipv4Size is that of an address of IPv4, in bytes.
const ipv4Size = 4

// floorCountSize is the size of the floor count in front, in bytes.
const floorCountSize = 2

// Tower is a view of tower octets: it refers to them and owns nothing. The
// 75 octets of a TCP tower are
//
//	 0  floor count u16
//	 2  u16 19, 0x0d, interface UUID, major u16; u16 2, minor u16
//	27  u16 19, 0x0d, transfer syntax UUID, major u16; u16 2, minor u16
//	52  u16 1, 0x0b; u16 2, 0
//	59  u16 1, 0x07; u16 2, port, big-endian
//	66  u16 1, 0x09; u16 4, IPv4 address
type Tower struct {
	octets []byte
	starts [MaxFloors]uint16 // offset of each floor; MaxOctets fits
	count  int
}

// Parse walks all floors of a tower. The octets must be one whole tower and
// nothing else. The floors' protocols are not judged, except that a port must
// have two bytes: a tower of any interface and transport is good.
func Parse(octets []byte) (Tower, error) {
	if len(octets) > MaxOctets {
		return Tower{}, wire.Errorf(wire.ClassLimit, "tower_length", 0, "%d bytes, at most %d", len(octets), MaxOctets)
	}
	if len(octets) < floorCountSize {
		return Tower{}, wire.Errorf(wire.ClassInvalid, "floor_count", 0, "%d bytes, need %d", len(octets), floorCountSize)
	}
	count := int(binary.LittleEndian.Uint16(octets))
	if count > MaxFloors {
		return Tower{}, wire.Errorf(wire.ClassLimit, "floor_count", 0, "%d floors, at most %d", count, MaxFloors)
	}
	t := Tower{octets: octets, count: count}
	at := floorCountSize
	for i := range count {
		t.starts[i] = uint16(at)
		var err error
		if _, at, err = parseFloor(octets, at); err != nil {
			return Tower{}, err
		}
	}
	if at != len(octets) {
		return Tower{}, wire.Errorf(wire.ClassInvalid, "tower_length", at, "%d bytes behind the last floor", len(octets)-at)
	}
	return t, nil
}

// Len returns the number of floors.
func (t Tower) Len() int { return t.count }

// Floor returns floor i, counted from zero. It panics if there is none.
func (t Tower) Floor(i int) Floor {
	if i >= t.count {
		panic(fmt.Sprintf("tower: floor %d of %d", i, t.count))
	}
	f, _, err := parseFloor(t.octets, int(t.starts[i]))
	if err != nil {
		panic("tower: octets changed after Parse: " + err.Error())
	}
	return f
}

// Interface returns the abstract syntax in floor 1, or the zero SyntaxID if
// that floor is something else.
func (t Tower) Interface() wire.SyntaxID { return t.syntax(floorInterface) }

// Transfer returns the transfer syntax in floor 2, or the zero SyntaxID if that
// floor is something else.
func (t Tower) Transfer() wire.SyntaxID { return t.syntax(floorTransfer) }

func (t Tower) syntax(floor int) wire.SyntaxID {
	if floor >= t.count {
		return wire.SyntaxID{}
	}
	id, _ := t.Floor(floor).Syntax()
	return id
}

// Protocol returns the transport in floor 4 ([ProtocolTCP], [ProtocolHTTP], …),
// or 0 in a tower of fewer floors.
func (t Tower) Protocol() byte {
	if floorTransport >= t.count {
		return 0
	}
	return t.Floor(floorTransport).Protocol()
}

// Port returns the port in floor 4, if its transport has one. 0 is what a
// client asks with.
func (t Tower) Port() (port uint16, ok bool) {
	at := t.PortOffset()
	if at < 0 {
		return 0, false
	}
	return binary.BigEndian.Uint16(t.octets[at:]), true
}

// PortOffset returns where in the octets the port is, or -1 without a port.
func (t Tower) PortOffset() int {
	if floorTransport >= t.count {
		return -1
	}
	f := t.Floor(floorTransport)
	if !hasPort(f.Protocol()) {
		return -1
	}
	return int(t.starts[floorTransport]) + 2 + len(f.LHS) + 2
}

// Address returns the IPv4 address in floor 5. Windows clients do not look at it,
// others connect to it. Old servers write it under another protocol identifier in
// towers of HTTP, where it is not recognised here.
func (t Tower) Address() (addr netip.Addr, ok bool) {
	b := t.host()
	if len(b) != ipv4Size {
		return netip.Addr{}, false
	}
	return netip.AddrFrom4([4]byte(b)), true
}

// host returns the address in floor 5 as it is in the octets; nil where there is
// none of IP.
func (t Tower) host() []byte {
	if floorHost >= t.count {
		return nil
	}
	f := t.Floor(floorHost)
	if f.Protocol() != ProtocolIP {
		return nil
	}
	return f.RHS
}

// String returns the interface and the endpoint, as far as the tower has them:
// "UUID vN.N tcp 10.10.20.10:49677".
func (t Tower) String() string {
	s := t.Interface().String() + " " + ProtocolName(t.Protocol())
	addr, _ := t.Address()
	if port, ok := t.Port(); ok && addr.IsValid() {
		return s + " " + netip.AddrPortFrom(addr, port).String()
	} else if ok {
		return fmt.Sprintf("%s :%d", s, port)
	}
	return s
}
