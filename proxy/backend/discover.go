package backend

import "net/netip"

// At returns the domain controller that has this address: of the configuration
// (the first), of DNS, or else a discovered one, whose names are the address. The
// same address gives the same one as long as it is monitored, or is among the
// latest maxDiscovered that were asked for.
func (s *Set) At(addr netip.Addr) *DC {
	addr = addr.Unmap()
	if dc := s.current.Load().byAddr[addr]; dc != nil {
		return dc
	}
	if dc, ok := s.discovered.Get(addr); ok {
		return dc
	}
	name := addr.String()
	dc := newDC(name, dcNames{backend: name, server: name}, netip.AddrPortFrom(addr, s.o.EPMPort), 0, &s.o)
	dc.discovered = true
	if earlier, ok, _ := s.discovered.PeekOrAdd(addr, dc); ok {
		return earlier
	}
	return dc
}

// Watch has dc monitored if it is not already: one from At that has shown an
// endpoint mapper or NSPI. It returns false if there are too many, or while
// [Set.Run] does not run. The monitoring of a discovered one ends when it has
// shown no NSPI for ten minutes; Watch then starts it again.
//
// It may be called for every connection.
func (s *Set) Watch(dc *DC) bool {
	if dc.health.Load().monitored {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	dc = s.At(dc.Addr) // DNS may name it by now
	if s.monitored[dc] != nil {
		return true
	}
	if s.running == nil || s.running.Err() != nil || len(s.watched) >= maxWatched {
		return false
	}
	s.watched[dc.Addr] = dc
	s.startMonitoring(dc)
	s.rebuild()
	return true
}
