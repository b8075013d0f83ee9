package relay

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// Sizes of struct sockaddr_in and sockaddr_in6 (ip(7), ipv6(7)): family in host
// order, port in network order, then
//
//	IPv4   4 address 4, 8 zero 8
//	IPv6   4 flow info 4, 8 address 16, 24 scope 4
const (
	sockaddrLen4 = 16
	sockaddrLen6 = 28
)

// sockaddr is an address as the kernel reads and writes it.
type sockaddr struct {
	raw    [sockaddrLen6]byte
	length uint32
}

// newSockaddr encodes a; an IPv4-mapped address is taken as IPv4.
func newSockaddr(a netip.AddrPort) (s sockaddr, err error) {
	ip := a.Addr().Unmap()
	if !ip.IsValid() || ip.Zone() != "" {
		return s, fmt.Errorf("address %v: need an IP address without a zone", a)
	}
	binary.BigEndian.PutUint16(s.raw[2:], a.Port())
	if ip.Is4() {
		binary.NativeEndian.PutUint16(s.raw[0:], unix.AF_INET)
		b := ip.As4()
		copy(s.raw[4:], b[:])
		s.length = sockaddrLen4
		return s, nil
	}
	binary.NativeEndian.PutUint16(s.raw[0:], unix.AF_INET6)
	b := ip.As16()
	copy(s.raw[8:], b[:])
	s.length = sockaddrLen6
	return s, nil
}

// family returns the address family of a valid address.
func family(a netip.AddrPort) int {
	if a.Addr().Unmap().Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}

// family is AF_INET, AF_INET6 or what else the kernel wrote.
func (s *sockaddr) family() int { return int(binary.NativeEndian.Uint16(s.raw[0:])) }

// addrPort decodes s; the zero AddrPort for an unknown family.
func (s *sockaddr) addrPort() netip.AddrPort {
	port := binary.BigEndian.Uint16(s.raw[2:])
	switch s.family() {
	case unix.AF_INET:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(s.raw[4:8])), port)
	case unix.AF_INET6:
		return netip.AddrPortFrom(netip.AddrFrom16([16]byte(s.raw[8:24])).Unmap(), port)
	}
	return netip.AddrPort{}
}
