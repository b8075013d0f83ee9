package proxy

import (
	"fmt"
	"net/netip"
	"sync"
)

// maxMappedPorts is how many ports one listener opens for a domain controller.
// A Windows domain controller registers a few dozen dynamic TCP endpoints.
const maxMappedPorts = 256

// portMap gives every TCP port that a domain controller's endpoint mapper
// names a port of the proxy's own: the same number where that is free. A port
// that portFor returned accepts connections already. It is shared by all loops.
type portMap struct {
	// open listens on address:port (0: any) for connections to the domain
	// controller's port target and returns the port it got.
	open func(port, target uint16) (uint16, error)

	mu    sync.Mutex
	ports map[uint16]uint16 // of the domain controller → of the proxy
}

func newPortMap(open func(port, target uint16) (uint16, error)) *portMap {
	return &portMap{open: open, ports: make(map[uint16]uint16)}
}

// portFor returns the proxy's port for the domain controller's port target,
// and opens it the first time.
func (m *portMap) portFor(target uint16) (uint16, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if p, ok := m.ports[target]; ok {
		return p, nil
	}
	if target == 0 {
		return 0, fmt.Errorf("port 0 in a tower")
	}
	if len(m.ports) >= maxMappedPorts {
		return 0, fmt.Errorf("port %d: already %d ports are mapped", target, maxMappedPorts)
	}
	p, err := m.open(target, target)
	if err != nil {
		if p, err = m.open(0, target); err != nil {
			return 0, fmt.Errorf("listening for port %d: %w", target, err)
		}
	}
	m.ports[target] = p
	return p, nil
}

// set records a port that is open already.
func (m *portMap) set(target, port uint16) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ports[target] = port
}

// lookup returns the port for target if it is open.
func (m *portMap) lookup(target uint16) (uint16, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p, ok := m.ports[target]
	return p, ok
}

// addrPort is netip.AddrPortFrom under a shorter name.
func addrPort(a netip.Addr, port uint16) netip.AddrPort { return netip.AddrPortFrom(a, port) }
