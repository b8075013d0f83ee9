package policy

import (
	"errors"
	"math/bits"
	"net/netip"
	"strings"
)

// isRange reports whether s is two addresses with a dash between.
func isRange(s string) bool {
	first, last, ok := strings.Cut(s, "-")
	_, errFirst := netip.ParseAddr(strings.TrimSpace(first))
	_, errLast := netip.ParseAddr(strings.TrimSpace(last))
	return ok && errFirst == nil && errLast == nil
}

// maskOf returns the error of a text that is no network: what to write in place of an
// address with a mask.
func maskOf(s string) error {
	text, mask, _ := strings.Cut(s, "/")
	a, err := netip.ParseAddr(text)
	m, errMask := netip.ParseAddr(mask)
	if err != nil || errMask != nil || !a.Is4() || !m.Is4() {
		return errors.New("not a network")
	}
	four := m.As4()
	value := uint32(four[0])<<24 | uint32(four[1])<<16 | uint32(four[2])<<8 | uint32(four[3])
	length := bits.LeadingZeros32(^value)
	if value<<length != 0 {
		return errors.New("not a network")
	}
	return expectedf("%v, with the length of the mask", netip.PrefixFrom(a, length).Masked())
}
