package backend

import (
	"maps"
	"net/netip"
	"slices"
)

// arrange brings everything in line with what DNS says now: who is a member of
// which backend, who is looked after, what readers see. s.mu is held.
func (s *Set) arrange() {
	members := make(map[string][]*DC)
	known := make(map[netip.AddrPort]*DC) // by the endpoint mapper: users must not have two limits on one
	all := slices.Clone(s.static)
	for _, dc := range s.static {
		if dc.Name == dc.ServerName() { // not a further address
			members[dc.BackendName()] = append(members[dc.BackendName()], dc)
		}
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
				all = append(all, dc)
			}
			members[b.Name] = append(members[b.Name], dc)
		}
	}
	s.retire(all)
	s.show(members, all)
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

// retire ends the looking after those who are not in current any more, unless
// clients go there, and starts it for those who are new there. The latest of
// those who have left are remembered.
func (s *Set) retire(current []*DC) {
	var left []*DC
	for _, dc := range s.named {
		if slices.Contains(current, dc) {
			continue
		}
		if s.watched[dc.Addr] != dc {
			s.dismiss(dc)
		}
		left = append(left, dc)
	}
	left = left[max(0, len(left)-maxRetired):]
	s.named = append(left, current[len(s.static):]...)
	for _, dc := range current {
		if old := s.watched[dc.Addr]; old != nil {
			s.dismiss(old)
		}
		if s.attended[dc] == nil {
			s.attend(dc)
		}
	}
}

// show makes what readers without a lock see.
func (s *Set) show(members map[string][]*DC, all []*DC) {
	byAddr := maps.Clone(s.watched)
	for _, dc := range slices.Backward(s.named) {
		byAddr[dc.Addr] = dc
	}
	for _, dc := range slices.Backward(all) {
		byAddr[dc.Addr] = dc // the first of those with one address is the one
	}
	for _, dc := range s.watched {
		all = append(all, dc)
	}
	s.current.Store(&snapshot{members: members, byAddr: byAddr, all: all})
}
