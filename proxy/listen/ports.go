package listen

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

// portMap gives every target that the endpoint mappers name a port of the
// proxy's own: the same number where that is free. A port that portFor returned
// accepts connections already. It is shared by all loops.
type portMap struct {
	// open listens on port (0: any) for connections to a target.
	open func(port uint16, t target) (mappedPort, error)

	mu    sync.Mutex
	ports map[target]mappedPort
	order map[netip.Addr][]target // of each domain controller, those that portFor opened, the oldest first
}

// mappedPort is a port of the proxy's own.
type mappedPort interface {
	Addr() netip.AddrPort
	Close() // connections that it has accepted live on
}

var _ mappedPort = (*relay.Listener)(nil)

func newPortMap(open func(port uint16, t target) (mappedPort, error)) *portMap {
	return &portMap{open: open, ports: make(map[target]mappedPort), order: make(map[netip.Addr][]target)}
}

// portFor returns the proxy's port for a target, and opens it the first time:
// under the number want, if it is free.
func (m *portMap) portFor(t target, want uint16) (uint16, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if l, ok := m.ports[t]; ok {
		return l.Addr().Port(), nil
	}
	if want == 0 {
		return 0, fmt.Errorf("port 0 in a tower")
	}
	m.makeRoom(t.addr.Addr())
	l, err := m.open(want, t)
	if err != nil {
		if l, err = m.open(0, t); err != nil {
			return 0, fmt.Errorf("listening for port %d: %w", want, err)
		}
	}
	m.ports[t] = l
	m.order[t.addr.Addr()] = append(m.order[t.addr.Addr()], t)
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
func (m *portMap) set(t target, l mappedPort) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ports[t] = l
}

// lookup returns the port for a target if it is open.
func (m *portMap) lookup(t target) (uint16, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	l, ok := m.ports[t]
	if !ok {
		return 0, false
	}
	return l.Addr().Port(), true
}
