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
// accepts connections already. It is shared by all loops and by what watches domain
// controllers.
type portMap struct {
	// open listens on port (0: any) for connections to a target.
	open func(port uint16, t target) (mappedPort, error)

	mu    sync.Mutex
	ports map[target]mappedPort
	order map[netip.Addr][]target // of each domain controller, those that can be opened again, the oldest first
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
	if l, err := m.openFor(t, want); err == nil {
		return l.Addr().Port(), nil
	}
	l, err := m.openFor(t, 0)
	if err != nil {
		return 0, fmt.Errorf("listening for port %d: %w", want, err)
	}
	return l.Addr().Port(), nil
}

// learnt opens the port of that number for a target on a domain controller that has
// told where it is. A client may know the number from an answer that could not be
// changed, or from before the proxy's start. If the target has a port of another
// number, it has both.
func (m *portMap) learnt(t target, number uint16) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for other, l := range m.ports {
		if l.Addr().Port() != number {
			continue
		}
		if other.kind == t.kind && other.addr == t.addr {
			return nil
		}
		return fmt.Errorf("port %d leads to %v", number, other)
	}
	if _, ok := m.ports[t]; ok {
		t.number = number
	}
	_, err := m.openFor(t, number)
	return err
}

// openFor opens a port (0: any) for a target that has none. The oldest of its domain
// controller's ports makes room.
func (m *portMap) openFor(t target, port uint16) (mappedPort, error) {
	m.makeRoom(t.addr.Addr())
	l, err := m.open(port, t)
	if err != nil {
		return nil, err
	}
	m.ports[t] = l
	if t.kind == targetPort || t.number != 0 {
		m.order[t.addr.Addr()] = append(m.order[t.addr.Addr()], t)
	}
	return l, nil
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
