package policy

import (
	"cmp"
	"net/netip"
	"slices"
)

// addrSet is a set of client addresses: sorted ranges that do not overlap, so
// that a lookup takes logarithmic time however many networks a rule lists. The
// nil set stands for all addresses.
type addrSet []addrRange

// addrRange is the addresses from first to last, both of the same family.
type addrRange struct{ first, last netip.Addr }

// newAddrSet returns the union of prefixes.
func newAddrSet(prefixes []netip.Prefix) addrSet {
	var ranges addrSet
	for _, p := range prefixes {
		ranges = append(ranges, addrRange{first: p.Masked().Addr(), last: lastAddr(p)})
	}
	// netip orders IPv4 before IPv6, so the families do not mix below. The wider
	// of two that begin alike comes first and takes in the other.
	slices.SortFunc(ranges, func(a, b addrRange) int {
		return cmp.Or(a.first.Compare(b.first), b.last.Compare(a.last))
	})
	merged := ranges[:0]
	for _, r := range ranges {
		// Prefixes are either disjoint or nested: no partial overlaps.
		if n := len(merged); n > 0 && merged[n-1].contains(r.first) {
			continue
		}
		merged = append(merged, r)
	}
	return merged
}

// lastAddr returns the highest address of p.
func lastAddr(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().AsSlice()
	for bit := p.Bits(); bit < len(b)*8; bit++ {
		b[bit/8] |= 0x80 >> (bit % 8)
	}
	last, _ := netip.AddrFromSlice(b)
	return last
}

// contains reports whether a is in the range.
func (r addrRange) contains(a netip.Addr) bool {
	return r.first.Compare(a) <= 0 && a.Compare(r.last) <= 0
}

// isAll reports whether s stands for all addresses.
func (s addrSet) isAll() bool { return s == nil }

// contains reports whether a, which must not be an IPv4-mapped IPv6 address, is
// in one of the ranges. The invalid Addr is in none.
func (s addrSet) contains(a netip.Addr) bool {
	i, exact := slices.BinarySearchFunc(s, a, func(r addrRange, a netip.Addr) int { return r.first.Compare(a) })
	return exact || (i > 0 && s[i-1].contains(a))
}

// covers reports whether every address of other is in s.
func (s addrSet) covers(other addrSet) bool {
	if s.isAll() {
		return true
	}
	if other.isAll() {
		return false
	}
	for _, r := range other {
		i, exact := slices.BinarySearchFunc(s, r.first, func(x addrRange, a netip.Addr) int { return x.first.Compare(a) })
		if !exact {
			i--
		}
		if i < 0 || !s[i].contains(r.first) || !s[i].contains(r.last) {
			return false
		}
	}
	return true
}
