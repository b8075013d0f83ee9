package proxy

import (
	"net/netip"

	"github.com/nspiproxy/nspiproxy/proxy/backend"
)

// placeKind says how a port of the proxy finds its domain controller's port.
type placeKind uint8

const (
	// placeMapper is the endpoint mapper of whichever domain controller is chosen.
	placeMapper placeKind = iota
	// placeNSPI is NSPI of whichever is chosen.
	placeNSPI
	// placePort is one port of one domain controller.
	placePort
)

// place is what a port of a forward listener leads to.
type place struct {
	kind placeKind
	addr netip.AddrPort // of placePort
}

// on returns where place is on dc; the zero AddrPort: it is not known.
func (p place) on(dc *backend.DC) netip.AddrPort {
	switch p.kind {
	case placeMapper:
		return dc.EPM
	case placeNSPI:
		if ports := dc.NSPI(); len(ports) > 0 {
			return addrPort(dc.Addr, ports[0])
		}
		return netip.AddrPort{}
	}
	return p.addr
}

// String names the place for the log.
func (p place) String() string {
	switch p.kind {
	case placeMapper:
		return "endpoint mapper"
	case placeNSPI:
		return "NSPI"
	}
	return p.addr.String()
}
