package relay

import (
	"errors"
	"fmt"
	"net/netip"
	"syscall"
)

// remedy says what an administrator can do about an error of listening on addr; empty:
// nothing is known.
func remedy(err error, addr netip.AddrPort) string {
	switch port := addr.Port(); {
	case errors.Is(err, errTransparent):
		return "CAP_NET_ADMIN is missing: AmbientCapabilities=CAP_NET_ADMIN in the unit, `setcap cap_net_admin,cap_net_bind_service=ep` on the program, or root"
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
		return fmt.Sprintf("port %d is privileged, and CAP_NET_BIND_SERVICE is missing: AmbientCapabilities=CAP_NET_BIND_SERVICE in the unit, "+
			"`setcap cap_net_bind_service=ep` on the program, `sysctl -w net.ipv4.ip_unprivileged_port_start=%[1]d`, or root", port)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Sprintf("%v is no address of this machine: `ip address add %v dev INTERFACE` with the length of its network, or `sysctl -w net.%s.ip_nonlocal_bind=1` where it comes later (VRRP)",
			addr.Addr(), addr.Addr(), family4or6(addr.Addr()))
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Sprintf("another program listens there, or this one twice: as root, `ss -ltnp 'sport = :%d'` names it", port)
	case errors.Is(err, syscall.EAFNOSUPPORT):
		return "this machine has no IPv6: ipv6.disable=1 on the kernel's command line takes it away"
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return "there are too few file descriptors: LimitNOFILE= in the unit, `ulimit -n` elsewhere"
	}
	return ""
}

func family4or6(a netip.Addr) string {
	if a.Is4() {
		return "ipv4"
	}
	return "ipv6"
}

// errTransparent is the error of a socket that may not have addresses of others.
var errTransparent = errors.New("sockets with addresses of others are not permitted")

// WithRemedy adds to an error of listening on addr what an administrator can do about it.
func WithRemedy(err error, addr netip.AddrPort) error {
	if text := remedy(err, addr); text != "" {
		return fmt.Errorf("%w (%s)", err, text)
	}
	return err
}
