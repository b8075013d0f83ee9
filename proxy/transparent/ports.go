package transparent

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
)

// Bounds of what is learnt. It comes from answers of endpoint mappers, and each
// port is an element of a set that packets are compared with.
const (
	// MaxPortsPerAddress is the bound for one domain controller. A Windows one
	// registers a few dozen TCP endpoints, NSPI's on one or two ports, those of its
	// process on fewer than ten.
	MaxPortsPerAddress = 64
	// maxPorts is the bound for all: a thousand domain controllers with a few
	// ports each.
	maxPorts = 4096
)

// ErrPortLimit is the error of Ports when a bound is reached.
var ErrPortLimit = errors.New("too many learnt ports")

// Ports is what is known of where domain controllers serve NSPI, or may serve it, for
// all goroutines. It never waits for the state file: that is written by a goroutine
// of its own.
type Ports struct {
	mu        sync.Mutex
	byAddress map[netip.Addr][]uint16 // in order
	count     int

	file *stateFile // nil: not kept
}

// newPorts returns an empty store that is not kept.
func newPorts() *Ports { return &Ports{byAddress: make(map[netip.Addr][]uint16)} }

// Learn adds a port that an endpoint mapper has named. It reports whether the
// port was unknown. The error is ErrPortLimit, or says that this is no endpoint.
func (p *Ports) Learn(ap netip.AddrPort) (isNew bool, err error) {
	if err := checkEndpoint(ap); err != nil {
		return false, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	isNew, err = p.add(ap)
	if isNew {
		p.changed()
	}
	return isNew, err
}

// add is Learn for a checked endpoint, under the lock.
func (p *Ports) add(ap netip.AddrPort) (isNew bool, err error) {
	known := p.byAddress[ap.Addr()]
	i, found := slices.BinarySearch(known, ap.Port())
	switch {
	case found:
		return false, nil
	case len(known) >= MaxPortsPerAddress:
		return false, fmt.Errorf("%s: %w: there are %d of this address", ap, ErrPortLimit, MaxPortsPerAddress)
	case p.count >= maxPorts:
		return false, fmt.Errorf("%s: %w: there are %d in all", ap, ErrPortLimit, maxPorts)
	}
	p.byAddress[ap.Addr()] = slices.Insert(known, i, ap.Port())
	p.count++
	return true, nil
}

// Confirm replaces what is known of one domain controller by what its endpoint
// mapper says now, and returns the differences in order. With an error nothing
// is changed.
func (p *Ports) Confirm(addr netip.Addr, ports []uint16) (added, removed []uint16, err error) {
	for _, port := range ports {
		if err := checkEndpoint(netip.AddrPortFrom(addr, port)); err != nil {
			return nil, nil, err
		}
	}
	now := slices.Compact(slices.Sorted(slices.Values(ports)))
	p.mu.Lock()
	defer p.mu.Unlock()
	was := p.byAddress[addr]
	switch {
	case len(now) > MaxPortsPerAddress:
		return nil, nil, fmt.Errorf("%s: %w: %d of this address, at most %d are kept", addr, ErrPortLimit, len(now), MaxPortsPerAddress)
	case p.count-len(was)+len(now) > maxPorts:
		return nil, nil, fmt.Errorf("%s: %w: there are %d in all", addr, ErrPortLimit, p.count)
	}
	added, removed = without(now, was), without(was, now)
	if len(added)+len(removed) == 0 {
		return nil, nil, nil
	}
	p.count += len(added) - len(removed)
	p.byAddress[addr] = now
	if len(now) == 0 {
		delete(p.byAddress, addr)
	}
	p.changed()
	return added, removed, nil
}

// without returns the ports of a that are not in b; both are in order.
func without(a, b []uint16) (rest []uint16) {
	for _, port := range a {
		if _, found := slices.BinarySearch(b, port); !found {
			rest = append(rest, port)
		}
	}
	return rest
}

// Has reports whether the port is known.
func (p *Ports) Has(ap netip.AddrPort) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, found := slices.BinarySearch(p.byAddress[ap.Addr()], ap.Port())
	return found
}

// List returns all known ports in order.
func (p *Ports) List() []netip.AddrPort {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.list()
}

// Of returns the known ports of one address, in order. The caller owns the slice.
func (p *Ports) Of(addr netip.Addr) []uint16 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.byAddress[addr])
}

// Count returns how many ports are known of one address, and of all.
func (p *Ports) Count(addr netip.Addr) (own, all int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.byAddress[addr]), p.count
}

// list is List under the lock.
func (p *Ports) list() []netip.AddrPort {
	all := make([]netip.AddrPort, 0, p.count)
	for addr, ports := range p.byAddress {
		for _, port := range ports {
			all = append(all, netip.AddrPortFrom(addr, port))
		}
	}
	slices.SortFunc(all, netip.AddrPort.Compare)
	return all
}

// changed has the state file written, under the lock.
func (p *Ports) changed() {
	if p.file != nil {
		p.file.wake()
	}
}

// checkEndpoint refuses what no domain controller can serve at.
func checkEndpoint(ap netip.AddrPort) error {
	switch a := ap.Addr(); {
	case ap.Port() == 0:
		return fmt.Errorf("%s: no port", ap)
	case !a.IsValid() || a.Is4In6() || a.Zone() != "" || a.IsUnspecified() || a.IsMulticast():
		return fmt.Errorf("%s: not the address of a host", ap)
	}
	return nil
}
