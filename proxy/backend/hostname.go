package backend

import (
	"net/netip"
	"strings"
)

// The lengths of names (RFC 1035 2.3.4), in bytes.
const (
	maxName  = 253 // without the dot at the end
	maxLabel = 63
)

// hostName returns the name of a host in lower case without the dot at the end,
// and whether it is one: letters, digits, '-' and '_' in labels, as Windows
// allows. Names from DNS may hold anything else, and become the names of domain
// controllers in logs and metrics.
func hostName(s string) (string, bool) {
	s = strings.ToLower(strings.TrimSuffix(s, "."))
	if len(s) == 0 || len(s) > maxName {
		return "", false
	}
	for label := range strings.SplitSeq(s, ".") {
		if len(label) == 0 || len(label) > maxLabel || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return "", false
		}
	}
	return s, true
}

// usable reports whether a domain controller can be reached at addr from another
// machine. Addresses of interfaces without a network (169.254.0.0/16) get
// registered in DNS too, and link-local IPv6 ones need the name of the link.
func usable(addr netip.Addr) bool {
	return addr.IsValid() && !addr.IsUnspecified() && !addr.IsMulticast() && !addr.IsLinkLocalUnicast() &&
		addr != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}
