package listen

import (
	"net/netip"

	"github.com/nspiproxy/nspiproxy/proxy/backend"
)

// targetKind says how a port of the proxy finds its domain controller's port.
type targetKind uint8

const (
	// targetMapper is the endpoint mapper of whichever domain controller is chosen.
	targetMapper targetKind = iota
	// targetNSPI is NSPI of whichever is chosen.
	targetNSPI
	// targetPort is one port of one domain controller.
	targetPort
)

// target is what a port of a forward listener leads to.
type target struct {
	kind targetKind
	addr netip.AddrPort // of targetPort
	// number is the proxy's port where one target has several: see portMap.learnt.
	number uint16
}

// on returns where the target is on dc; the zero AddrPort: it is not known.
func (t target) on(dc *backend.DC) netip.AddrPort {
	switch t.kind {
	case targetMapper:
		return dc.EPM
	case targetNSPI:
		if ports := dc.NSPI(); len(ports) > 0 {
			return netip.AddrPortFrom(dc.Addr, ports[0])
		}
		return netip.AddrPort{}
	}
	return t.addr
}

// String names the target for the log.
func (t target) String() string {
	switch t.kind {
	case targetMapper:
		return "endpoint mapper"
	case targetNSPI:
		return "NSPI"
	}
	return t.addr.String()
}
