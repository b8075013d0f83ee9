package tower

import (
	"encoding/binary"
	"net/netip"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

// BuildTCP returns the octets of a TCP tower: 75 bytes.
func BuildTCP(iface, transfer wire.SyntaxID, port uint16, addr netip.Addr) []byte {
	return AppendTCP(nil, iface, transfer, port, addr)
}

// AppendTCP appends the octets of a TCP tower to dst.
func AppendTCP(dst []byte, iface, transfer wire.SyntaxID, port uint16, addr netip.Addr) []byte {
	return appendTower(dst, iface, transfer, ProtocolTCP, port, addr)
}

// AppendHTTP appends the octets of a tower for RPC over HTTP to dst.
func AppendHTTP(dst []byte, iface, transfer wire.SyntaxID, port uint16, addr netip.Addr) []byte {
	return appendTower(dst, iface, transfer, ProtocolHTTP, port, addr)
}

// appendTower writes five floors. There is no floor for IPv6 in common use, and
// clients ignore the address, so whatever is not IPv4 becomes 0.0.0.0.
func appendTower(dst []byte, iface, transfer wire.SyntaxID, protocol byte, port uint16, addr netip.Addr) []byte {
	dst = binary.LittleEndian.AppendUint16(dst, 5)
	dst = appendSyntaxFloor(dst, iface)
	dst = appendSyntaxFloor(dst, transfer)
	dst = appendFloor(dst, ProtocolConnection, []byte{0, 0})
	dst = appendFloor(dst, protocol, binary.BigEndian.AppendUint16(nil, port))
	var host [4]byte
	if addr = addr.Unmap(); addr.Is4() {
		host = addr.As4()
	}
	return appendFloor(dst, ProtocolIP, host[:])
}

func appendSyntaxFloor(dst []byte, id wire.SyntaxID) []byte {
	dst = binary.LittleEndian.AppendUint16(dst, lhsUUID)
	dst = append(dst, ProtocolUUID)
	dst = id.UUID.Append(dst, wire.LittleEndian)
	dst = binary.LittleEndian.AppendUint16(dst, id.Major())
	dst = binary.LittleEndian.AppendUint16(dst, rhsUUID)
	return binary.LittleEndian.AppendUint16(dst, id.Minor())
}

func appendFloor(dst []byte, protocol byte, rhs []byte) []byte {
	dst = binary.LittleEndian.AppendUint16(dst, 1)
	dst = append(dst, protocol)
	dst = binary.LittleEndian.AppendUint16(dst, uint16(len(rhs)))
	return append(dst, rhs...)
}
