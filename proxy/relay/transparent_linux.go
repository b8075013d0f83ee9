package relay

import (
	"net/netip"

	"golang.org/x/sys/unix"
)

// soOriginalDst asks connection tracking where a connection was going before a
// rule changed it: SO_ORIGINAL_DST of linux/netfilter_ipv4.h, and
// IP6T_SO_ORIGINAL_DST, which has the same number.
const soOriginalDst = 80

// transparent returns the option with which a socket may have an address that is not
// this machine's (ip(7), IP_TRANSPARENT).
func transparent(family int) option {
	if family == unix.AF_INET6 {
		return option{unix.IPPROTO_IPV6, unix.IPV6_TRANSPARENT, 1}
	}
	return option{unix.IPPROTO_IP, unix.IP_TRANSPARENT, 1}
}

// localOf returns what the client of an accepted socket connected to.
func (ln *Listener) localOf(fd int32) netip.AddrPort {
	o := &ln.options
	var a sockaddr
	if o.Redirected && originalDst(fd, family(ln.addr), &a) == 0 {
		return a.addrPort()
	}
	if o.Transparent || ln.addr.Addr().IsUnspecified() {
		if localAddr(fd, &a) == 0 {
			return a.addrPort()
		}
	}
	return ln.addr
}
