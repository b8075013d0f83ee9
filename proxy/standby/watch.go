package standby

import (
	"net/netip"
	"slices"
)

// Lost is what of the path has been lost.
type Lost struct {
	// Virtual are addresses that routers move among each other: the connections of
	// their family do not come through this machine any more.
	Virtual []netip.Addr
	// Own are addresses on which clients reach this machine itself.
	Own []netip.Addr
}

// Any reports whether something is lost.
func (l Lost) Any() bool { return len(l.Virtual)+len(l.Own) > 0 }

// Has reports whether it concerns a connection, by what its client has connected to:
// through this machine, as a router, or at an address of it.
func (l Lost) Has(through bool, to netip.Addr) bool {
	if !through {
		return slices.Contains(l.Own, to)
	}
	return slices.ContainsFunc(l.Virtual, func(a netip.Addr) bool { return a.Is4() == to.Is4() })
}

// Watch compares the addresses of this machine with those that it had.
type Watch struct {
	virtual, own []netip.Addr
	here         map[netip.Addr]bool // at the last look
}

// NewWatch returns a watch of addresses that routers move among each other, and of
// those on which clients reach this machine itself.
func NewWatch(virtual, own []netip.Addr) *Watch {
	return &Watch{virtual: virtual, own: own, here: make(map[netip.Addr]bool)}
}

// Look returns which of the addresses have left since the last look, of those that
// this machine has now.
func (w *Watch) Look(now []netip.Addr) (l Lost) {
	gone := func(list []netip.Addr) (left []netip.Addr) {
		for _, a := range list {
			if w.here[a] && !slices.Contains(now, a) {
				left = append(left, a)
			}
		}
		return left
	}
	l = Lost{Virtual: gone(w.virtual), Own: gone(w.own)}
	clear(w.here)
	for _, a := range now {
		w.here[a] = true
	}
	return l
}
