package capturetest

import (
	"encoding/binary"
	"net/netip"
)

// TCP flags.
const (
	FIN = 0x01
	SYN = 0x02
	RST = 0x04
	ACK = 0x10
)

// Segment is a TCP segment.
type Segment struct {
	From, To netip.AddrPort
	Seq, Ack uint32
	Flags    uint8
	Data     []byte
}

var be = binary.BigEndian

// TCP writes the segment without IP. Its checksum is not filled.
func (s Segment) TCP() []byte {
	b := be.AppendUint16(be.AppendUint16(nil, s.From.Port()), s.To.Port())
	b = be.AppendUint32(be.AppendUint32(b, s.Seq), s.Ack)
	b = append(b, 5<<4, s.Flags, 0x20, 0, 0, 0, 0, 0)
	return append(b, s.Data...)
}

// IP writes the segment in an IP packet of its addresses' version.
func (s Segment) IP() []byte {
	if s.From.Addr().Is4() {
		return IPv4(s.From.Addr(), s.To.Addr(), 6, s.TCP())
	}
	return IPv6(s.From.Addr(), s.To.Addr(), 6, s.TCP())
}

// Frame writes the segment in an Ethernet frame.
func (s Segment) Frame() Frame { return Frame{Data: Ethernet(s.IP())} }

// IPv4 writes a packet.
func IPv4(src, dst netip.Addr, protocol uint8, payload []byte) []byte {
	return ipv4(src, dst, protocol, 20+len(payload), 0, payload)
}

// IPv4Fragment writes a fragment whose payload begins at offset.
func IPv4Fragment(src, dst netip.Addr, protocol uint8, offset int, more bool, payload []byte) []byte {
	field := uint16(offset / 8)
	if more {
		field |= 0x2000
	}
	return ipv4(src, dst, protocol, 20+len(payload), field, payload)
}

// IPv4Offloaded writes a packet without length, as a sender's own capture has
// it when the network card cuts it into segments.
func IPv4Offloaded(src, dst netip.Addr, protocol uint8, payload []byte) []byte {
	return ipv4(src, dst, protocol, 0, 0, payload)
}

func ipv4(src, dst netip.Addr, protocol uint8, length int, fragment uint16, payload []byte) []byte {
	b := be.AppendUint16([]byte{0x45, 0}, uint16(length))
	b = be.AppendUint16(append(b, 0, 7), fragment)
	b = append(b, 64, protocol, 0, 0)
	b = append(append(b, src.AsSlice()...), dst.AsSlice()...)
	return append(b, payload...)
}

// IPv6 writes a packet.
func IPv6(src, dst netip.Addr, next uint8, payload []byte) []byte {
	b := be.AppendUint16([]byte{0x60, 0, 0, 0}, uint16(len(payload)))
	b = append(b, next, 64)
	b = append(append(b, src.AsSlice()...), dst.AsSlice()...)
	return append(b, payload...)
}

// Ethernet writes a frame around an IP packet, with the padding of short ones.
func Ethernet(ip []byte) []byte {
	b := append(etherType([]byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2}, ip), ip...)
	return append(b, make([]byte, max(0, 60-len(b)))...)
}

func etherType(b, ip []byte) []byte {
	if ip[0]>>4 == 6 {
		return append(b, 0x86, 0xdd)
	}
	return append(b, 0x08, 0x00)
}

// VLAN puts a tag into an Ethernet frame.
func VLAN(frame []byte, kind, id uint16) []byte {
	tag := be.AppendUint16(be.AppendUint16(nil, kind), id)
	return append(append(append([]byte(nil), frame[:12]...), tag...), frame[12:]...)
}

// SLL writes a frame of a Linux cooked capture.
func SLL(ip []byte) []byte {
	b := append(etherType([]byte{0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0}, ip), ip...)
	return b
}

// SLL2 writes a frame of a Linux cooked capture, version 2.
func SLL2(ip []byte) []byte {
	b := etherType(nil, ip)
	b = append(b, 0, 0, 0, 0, 0, 1, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0)
	return append(b, ip...)
}

// Loopback writes a frame of a loopback interface, with the address family in
// the byte order given.
func Loopback(ip []byte, o binary.ByteOrder) []byte {
	b := make([]byte, 4, 4+len(ip))
	o.PutUint32(b, 2)
	if ip[0]>>4 == 6 {
		o.PutUint32(b, 24)
	}
	return append(b, ip...)
}

// UDP writes a datagram without IP.
func UDP(from, to uint16, payload []byte) []byte {
	b := be.AppendUint16(be.AppendUint16(nil, from), to)
	b = be.AppendUint16(be.AppendUint16(b, uint16(8+len(payload))), 0)
	return append(b, payload...)
}
