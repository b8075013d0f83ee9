package report

import (
	"net/netip"
	"time"
)

// networkBits6 is the part of an IPv6 address that one host cannot choose itself.
const networkBits6 = 64

// networkOf is what the records of a client are shared out by; the zero Prefix: no client's.
func networkOf(a netip.Addr) netip.Prefix {
	a = a.Unmap()
	bits := a.BitLen()
	if a.Is6() {
		bits = networkBits6
	}
	p, _ := a.Prefix(bits) // fails for the zero Addr only
	return p
}

// sum returns the sum of a record, if there is one or room for it.
func (k *kindOf) sum(e entry, now func() time.Time) *sum {
	if s := k.open[e.key]; s != nil {
		return s
	}
	from := networkOf(e.from)
	if !left(k.share.keys, len(k.open), k.network(from).keys) {
		return nil
	}
	s := &sum{since: now(), from: from}
	k.open[e.key] = s
	k.take(from, 1, 0)
	return s
}

// close forgets a sum.
func (k *kindOf) close(of key) {
	k.take(k.open[of].from, -1, 0)
	delete(k.open, of)
}

// network returns what a network has taken. What no client has caused is not shared out.
func (k *kindOf) network(from netip.Prefix) taken {
	if t := k.of[from]; t != nil {
		return *t
	}
	return taken{}
}

func (k *kindOf) take(from netip.Prefix, keys, lines int) {
	if !from.IsValid() {
		return
	}
	t := k.of[from]
	if t == nil {
		t = new(taken)
		k.of[from] = t
	}
	t.keys, t.lines = t.keys+keys, t.lines+lines
	if *t == (taken{}) {
		delete(k.of, from)
	}
}

// newMinute gives the kind all its lines again.
func (k *kindOf) newMinute() {
	k.lines = 0
	for from, t := range k.of {
		k.take(from, 0, -t.lines)
	}
}
