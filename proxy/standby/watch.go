package standby

import (
	"net/netip"
	"slices"
	"time"
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

// With returns both losses as one.
func (l Lost) With(more Lost) Lost {
	return Lost{Virtual: slices.Concat(l.Virtual, more.Virtual), Own: slices.Concat(l.Own, more.Own)}
}

// Has reports whether it concerns a connection, by what its client has connected to:
// through this machine, as a router, or at an address of it.
func (l Lost) Has(through bool, to netip.Addr) bool {
	if !through {
		return slices.Contains(l.Own, to)
	}
	return slices.ContainsFunc(l.Virtual, func(a netip.Addr) bool { return a.Is4() == to.Is4() })
}

// OwnGrace is how long an address on which clients reach this machine itself may be
// missing before it counts as lost. Connections survive it when the network of the
// machine is set up anew; another machine that has taken the address over keeps it.
const OwnGrace = 3 * time.Second

// Watch compares the addresses of this machine with those that it had.
type Watch struct {
	virtual, own []netip.Addr
	here         map[netip.Addr]bool      // at the last look
	missing      map[netip.Addr]time.Time // own addresses that have left: since when
}

// NewWatch returns a watch of addresses that routers move among each other, and of
// those on which clients reach this machine itself.
func NewWatch(virtual, own []netip.Addr) *Watch {
	return &Watch{virtual: virtual, own: own, here: make(map[netip.Addr]bool), missing: make(map[netip.Addr]time.Time)}
}

// Look returns which of the addresses have been lost since the last look, of those that
// this machine has at a moment.
func (w *Watch) Look(has []netip.Addr, at time.Time) (l Lost) {
	left := func(a netip.Addr) bool { return w.here[a] && !slices.Contains(has, a) }
	for _, a := range w.virtual {
		if left(a) {
			l.Virtual = append(l.Virtual, a)
		}
	}
	for _, a := range w.own {
		if left(a) {
			w.missing[a] = at
		}
		since, missing := w.missing[a]
		switch {
		case !missing:
		case slices.Contains(has, a):
			delete(w.missing, a)
		case at.Sub(since) >= OwnGrace:
			delete(w.missing, a)
			l.Own = append(l.Own, a)
		}
	}
	clear(w.here)
	for _, a := range has {
		w.here[a] = true
	}
	return l
}
