package backend

import (
	"maps"
	"net/netip"
	"slices"
)

// rebuild brings everything in line with what DNS names now: the members of each
// backend, which domain controllers are monitored, and what readers see. s.mu is
// held.
func (s *Set) rebuild() {
	members, named := s.members()
	s.remember(named)
	current := slices.Concat(s.static, s.further, named)
	s.updateMonitoring(current)
	s.publish(members, current)
}

// members returns the members of each backend, and the domain controllers that
// only DNS names. One that is known already, by the address of its endpoint
// mapper, stays the same: users must not have two limits on it.
func (s *Set) members() (members map[string][]*DC, named []*DC) {
	members = make(map[string][]*DC)
	for _, dc := range s.static {
		members[dc.BackendName()] = append(members[dc.BackendName()], dc)
	}
	known := make(map[netip.AddrPort]*DC)
	for _, dc := range slices.Concat(s.static, s.further) {
		if known[dc.EPM] == nil {
			known[dc.EPM] = dc
		}
	}
	for _, b := range s.srv {
		for _, t := range b.targets {
			dc := known[b.mapper(t.addr)]
			if dc == nil {
				dc = s.srvDC(b, t)
				dc.observe(observation{kind: priorityNamed, number: t.priority})
				known[dc.EPM] = dc
				named = append(named, dc)
			}
			members[b.Name] = append(members[b.Name], dc)
		}
	}
	return members, named
}

// srvDC returns the domain controller of a target: the one that it was before,
// or a new one.
func (s *Set) srvDC(b *srvBackend, t target) *DC {
	name := b.Name + "/" + t.host
	for _, dc := range s.named {
		if dc.Name == name && dc.EPM == b.mapper(t.addr) && dc.nspiPort == b.NSPIPort {
			return dc
		}
	}
	return newDC(name, dcNames{backend: b.Name, server: name}, b.mapper(t.addr), b.NSPIPort, &s.o)
}

// remember keeps those that DNS names, and the latest that have left its answers.
func (s *Set) remember(named []*DC) {
	left := slices.DeleteFunc(s.named, func(dc *DC) bool { return slices.Contains(named, dc) })
	s.named = slices.Concat(left[max(0, len(left)-maxRetired):], named)
}

// updateMonitoring starts to monitor those that are current. It stops monitoring
// those that are not, unless clients go there ([Set.Watch]), and watched ones whose
// address is that of a current one.
func (s *Set) updateMonitoring(current []*DC) {
	named := make(map[netip.Addr]bool)
	for _, dc := range current {
		named[dc.Addr] = true
	}
	for dc := range s.monitored {
		if watched := s.watched[dc.Addr] == dc; watched && named[dc.Addr] || !watched && !slices.Contains(current, dc) {
			s.stopMonitoring(dc)
		}
	}
	for _, dc := range current {
		if s.monitored[dc] == nil {
			s.startMonitoring(dc)
		}
	}
}

// publish shows readers without a lock what there is. Of several domain
// controllers at one address the first one is that of the address; current ones
// come before others.
func (s *Set) publish(members map[string][]*DC, current []*DC) {
	byAddr := maps.Clone(s.watched)
	for _, dc := range slices.Backward(slices.Concat(current, s.named)) {
		byAddr[dc.Addr] = dc
	}
	all := slices.AppendSeq(current, maps.Values(s.watched))
	s.current.Store(&snapshot{members: members, byAddr: byAddr, all: all})
}
