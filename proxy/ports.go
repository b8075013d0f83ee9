package proxy

import (
	"fmt"
	"net/netip"
	"slices"
	"sync"

	"github.com/nspiproxy/nspiproxy/proxy/relay"
)

// maxMappedPorts is how many ports one listener opens for each of its domain
// controllers. A Windows domain controller registers a few dozen dynamic TCP
// endpoints, other ones with each start: the oldest make room for new ones.
const maxMappedPorts = 256

// portMap gives every place that the endpoint mappers name a port of the
// proxy's own: the same number where that is free. A port that portFor returned
// accepts connections already. It is shared by all loops.
type portMap struct {
	// open listens on port (0: any) for connections to a place.
	open func(port uint16, p place) (mappedPort, error)

	mu    sync.Mutex
	ports map[place]mappedPort
	order map[netip.Addr][]place // of each domain controller, those that portFor opened, the oldest first
}

// mappedPort is a port of the proxy's own.
type mappedPort interface {
	Addr() netip.AddrPort
	Close() // connections that it has accepted live on
}

var _ mappedPort = (*relay.Listener)(nil)

func newPortMap(open func(port uint16, p place) (mappedPort, error)) *portMap {
	return &portMap{open: open, ports: make(map[place]mappedPort), order: make(map[netip.Addr][]place)}
}

// portFor returns the proxy's port for a place, and opens it the first time:
// under the number want, if it is free.
func (m *portMap) portFor(p place, want uint16) (uint16, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if l, ok := m.ports[p]; ok {
		return l.Addr().Port(), nil
	}
	if want == 0 {
		return 0, fmt.Errorf("port 0 in a tower")
	}
	m.makeRoom(p.addr.Addr())
	l, err := m.open(want, p)
	if err != nil {
		if l, err = m.open(0, p); err != nil {
			return 0, fmt.Errorf("listening for port %d: %w", want, err)
		}
	}
	m.ports[p] = l
	m.order[p.addr.Addr()] = append(m.order[p.addr.Addr()], p)
	return l.Addr().Port(), nil
}

// makeRoom closes the oldest port of a domain controller that has too many.
func (m *portMap) makeRoom(dc netip.Addr) {
	if opened := m.order[dc]; len(opened) >= maxMappedPorts {
		m.ports[opened[0]].Close()
		delete(m.ports, opened[0])
		m.order[dc] = slices.Delete(opened, 0, 1)
	}
}

// set records a port that is open already, and stays so.
func (m *portMap) set(p place, l mappedPort) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ports[p] = l
}

// lookup returns the port for a place if it is open.
func (m *portMap) lookup(p place) (uint16, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	l, ok := m.ports[p]
	if !ok {
		return 0, false
	}
	return l.Addr().Port(), true
}

// addrPort is netip.AddrPortFrom under a shorter name.
func addrPort(a netip.Addr, port uint16) netip.AddrPort { return netip.AddrPortFrom(a, port) }
