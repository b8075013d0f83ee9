package proxy

import (
	"fmt"
	"net/netip"
	"sync"
)

// maxMappedPorts is how many ports one listener opens for each of its domain
// controllers. A Windows domain controller registers a few dozen dynamic TCP
// endpoints.
const maxMappedPorts = 256

// portMap gives every place that the endpoint mappers name a port of the
// proxy's own: the same number where that is free. A port that portFor returned
// accepts connections already. It is shared by all loops.
type portMap struct {
	// open listens on port (0: any) for connections to a place and returns the
	// port it got.
	open func(port uint16, p place) (uint16, error)

	mu    sync.Mutex
	ports map[place]uint16
	many  map[netip.Addr]int // ports per domain controller
}

func newPortMap(open func(port uint16, p place) (uint16, error)) *portMap {
	return &portMap{open: open, ports: make(map[place]uint16), many: make(map[netip.Addr]int)}
}

// portFor returns the proxy's port for a place, and opens it the first time:
// under the number want, if it is free.
func (m *portMap) portFor(p place, want uint16) (uint16, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if port, ok := m.ports[p]; ok {
		return port, nil
	}
	dc := p.addr.Addr()
	switch {
	case want == 0:
		return 0, fmt.Errorf("port 0 in a tower")
	case m.many[dc] >= maxMappedPorts:
		return 0, fmt.Errorf("port %d: already %d ports are mapped", want, maxMappedPorts)
	}
	port, err := m.open(want, p)
	if err != nil {
		if port, err = m.open(0, p); err != nil {
			return 0, fmt.Errorf("listening for port %d: %w", want, err)
		}
	}
	m.ports[p] = port
	m.many[dc]++
	return port, nil
}

// set records a port that is open already.
func (m *portMap) set(p place, port uint16) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ports[p] = port
}

// lookup returns the port for a place if it is open.
func (m *portMap) lookup(p place) (uint16, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	port, ok := m.ports[p]
	return port, ok
}

// addrPort is netip.AddrPortFrom under a shorter name.
func addrPort(a netip.Addr, port uint16) netip.AddrPort { return netip.AddrPortFrom(a, port) }
