package tower

import (
	"encoding/binary"
	"fmt"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

// Protocol identifiers: the first octet of a floor's left-hand side (C706
// appendix I; MS-RPCE 2.1.1.1 to 2.1.1.8).
const (
	ProtocolTCP            = 0x07
	ProtocolUDP            = 0x08
	ProtocolIP             = 0x09
	ProtocolConnectionless = 0x0a
	ProtocolConnection     = 0x0b
	ProtocolLocal          = 0x0c
	ProtocolUUID           = 0x0d
	ProtocolNamedPipe      = 0x0f
	ProtocolLocalPipe      = 0x10
	ProtocolNetBIOS        = 0x11
	ProtocolHTTP           = 0x1f
)

// ProtocolName returns the name of a protocol identifier, or its number in hex.
func ProtocolName(id byte) string {
	switch id {
	case ProtocolTCP:
		return "tcp"
	case ProtocolUDP:
		return "udp"
	case ProtocolIP:
		return "ip"
	case ProtocolConnectionless:
		return "ncadg"
	case ProtocolConnection:
		return "ncacn"
	case ProtocolLocal:
		return "ncalrpc"
	case ProtocolUUID:
		return "uuid"
	case ProtocolNamedPipe:
		return "named_pipe"
	case ProtocolLocalPipe:
		return "local_pipe"
	case ProtocolNetBIOS:
		return "netbios"
	case ProtocolHTTP:
		return "http"
	}
	return fmt.Sprintf("0x%02x", id)
}

// hasPort reports whether the right-hand side of a floor of protocol id is a
// port: u16, big-endian.
func hasPort(id byte) bool {
	return id == ProtocolTCP || id == ProtocolUDP || id == ProtocolHTTP
}

// Sizes inside a floor, in bytes.
const (
	portSize = 2
	lhsUUID  = 1 + wire.UUIDSize + 2 // 0x0d, UUID, major version u16
	rhsUUID  = 2                     // minor version u16
)

// Floor is one layer of a tower: what it is and its parameter. Both slices are
// part of the octets given to [Parse].
type Floor struct {
	LHS []byte // u16 length, then protocol identifier and its data; never empty
	RHS []byte // u16 length, then the related data; may be empty
}

// Protocol returns the protocol identifier.
func (f Floor) Protocol() byte { return f.LHS[0] }

// Syntax returns the UUID and version of an interface or transfer syntax floor.
// The octets of a tower are little-endian in every PDU.
func (f Floor) Syntax() (id wire.SyntaxID, ok bool) {
	if f.Protocol() != ProtocolUUID || len(f.LHS) != lhsUUID || len(f.RHS) != rhsUUID {
		return wire.SyntaxID{}, false
	}
	major := binary.LittleEndian.Uint16(f.LHS[1+wire.UUIDSize:])
	minor := binary.LittleEndian.Uint16(f.RHS)
	return wire.SyntaxID{
		UUID:    wire.ReadUUID(f.LHS[1:], wire.LittleEndian),
		Version: uint32(minor)<<16 | uint32(major),
	}, true
}

// parseFloor reads the floor at octets[at:] and returns where the next one
// starts. Every floor takes at least five bytes.
func parseFloor(octets []byte, at int) (f Floor, next int, err error) {
	if f.LHS, at, err = counted(octets, at, "floor_lhs"); err != nil {
		return Floor{}, at, err
	}
	if len(f.LHS) == 0 {
		return Floor{}, at, wire.Errorf(wire.ClassInvalid, "floor_lhs", at, "no protocol identifier")
	}
	if f.RHS, at, err = counted(octets, at, "floor_rhs"); err != nil {
		return Floor{}, at, err
	}
	if hasPort(f.Protocol()) && len(f.RHS) != portSize {
		return Floor{}, at, wire.Errorf(wire.ClassInvalid, "floor_port", at, "%d bytes of port, expected 2", len(f.RHS))
	}
	return f, at, nil
}

// counted reads a u16 length and that many bytes. The octets are all there is,
// so running out of them is invalid, not short.
func counted(octets []byte, at int, name string) (b []byte, next int, err error) {
	if len(octets)-at < 2 {
		return nil, at, wire.Errorf(wire.ClassInvalid, name, at, "the tower ends inside the length")
	}
	n := int(binary.LittleEndian.Uint16(octets[at:]))
	at += 2
	if len(octets)-at < n {
		return nil, at, wire.Errorf(wire.ClassInvalid, name, at, "%d bytes, %d left in the tower", n, len(octets)-at)
	}
	return octets[at : at+n : at+n], at + n, nil
}
