package halfopen

import (
	"encoding/binary"
	"hash/fnv"
	"net/netip"
)

// Connection is one to a server.
type Connection struct {
	Local  netip.AddrPort // the end here
	Server netip.AddrPort
	// Foreign says that Local is not an address of this machine (IP_TRANSPARENT).
	Foreign bool
}

// recordSize is the size of a record in the file, in bytes: how it is used (free, IPv4,
// IPv6), whether it is foreign, a check sum, two ports, and two addresses of 16
// bytes each. The order of bytes is that of the network.
const recordSize = 40

// How a record is used, in its first byte.
const (
	usedFree = 0
	usedIPv4 = 4
	usedIPv6 = 6
)

// encode writes c to a record.
func (c Connection) encode(record *[recordSize]byte) {
	record[0] = usedIPv6
	if c.Server.Addr().Is4() {
		record[0] = usedIPv4
	}
	record[1] = 0
	if c.Foreign {
		record[1] = 1
	}
	binary.BigEndian.PutUint16(record[4:], c.Local.Port())
	binary.BigEndian.PutUint16(record[6:], c.Server.Port())
	local, server := c.Local.Addr().As16(), c.Server.Addr().As16()
	copy(record[8:], local[:])
	copy(record[24:], server[:])
	binary.BigEndian.PutUint16(record[2:], checkSum(record))
}

// decode reads a record. It is false for a free one, and for one that the crash has left
// half written.
func decode(record *[recordSize]byte) (c Connection, ok bool) {
	used := record[0]
	if used != usedIPv4 && used != usedIPv6 || binary.BigEndian.Uint16(record[2:]) != checkSum(record) {
		return c, false
	}
	local, server := netip.AddrFrom16([16]byte(record[8:24])), netip.AddrFrom16([16]byte(record[24:40]))
	if used == usedIPv4 {
		if !local.Is4In6() || !server.Is4In6() {
			return c, false
		}
		local, server = local.Unmap(), server.Unmap()
	}
	c.Local = netip.AddrPortFrom(local, binary.BigEndian.Uint16(record[4:]))
	c.Server = netip.AddrPortFrom(server, binary.BigEndian.Uint16(record[6:]))
	c.Foreign = record[1] != 0
	return c, c.Local.Port() != 0 && c.Server.Port() != 0
}

// checkSum is that of everything else in a record.
func checkSum(record *[recordSize]byte) uint16 {
	h := fnv.New32a()
	_, _ = h.Write(record[:2])
	_, _ = h.Write(record[4:])
	sum := h.Sum32()
	return uint16(sum>>16) ^ uint16(sum)
}
