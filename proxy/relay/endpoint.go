package relay

import "net/netip"

// endpoint is a netip.AddrPort in 18 bytes instead of 32, because a connection
// remembers several. An IPv4 address is kept in its IPv6-mapped form, which stands
// for nothing else here; there are no zones. The zero value is no address.
type endpoint struct {
	ip   [16]byte
	port uint16
}

func newEndpoint(a netip.AddrPort) endpoint {
	if !a.Addr().IsValid() {
		return endpoint{}
	}
	return endpoint{ip: a.Addr().As16(), port: a.Port()}
}

func (e endpoint) addrPort() netip.AddrPort {
	if e == (endpoint{}) {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(e.addr(), e.port)
}

func (e endpoint) addr() netip.Addr { return netip.AddrFrom16(e.ip).Unmap() }
