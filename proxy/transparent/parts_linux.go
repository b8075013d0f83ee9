package transparent

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	// maxRoutes bounds the routes that are read for one network: a router with more
	// than these few has a default route as a rule, or all of the internet's, and
	// then one to every network that there is.
	maxRoutes = 1 << 17
	// routesBuffer holds what the kernel sends at once, in bytes.
	routesBuffer = 1 << 16
)

// within implements router. The kernel cannot be asked for the routes into a
// network: all of the family are read, and not kept.
func (kernelRouter) within(n netip.Prefix) (parts []netip.Prefix, known bool, err error) {
	fd, err := dumpRoutes(n.Addr().Is6())
	if err != nil {
		return nil, false, err
	}
	defer func() { _ = unix.Close(fd) }()
	buffer := make([]byte, routesBuffer)
	for seen := 0; seen < maxRoutes; {
		size, _, err := unix.Recvfrom(fd, buffer, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return nil, false, err
		}
		messages, err := syscall.ParseNetlinkMessage(buffer[:size])
		if err != nil {
			return nil, false, err
		}
		for _, m := range messages {
			switch m.Header.Type {
			case unix.NLMSG_DONE:
				return parts, true, nil
			case unix.NLMSG_ERROR:
				return nil, false, errors.New("the kernel does not list its routes")
			}
			seen++
			if part, ok := partOf(n, m.Data); ok && len(parts) < maxParts {
				parts = append(parts, part)
			}
		}
	}
	return nil, false, nil
}

// dumpRoutes asks for all routes of a family and returns the socket that they come
// on.
func dumpRoutes(ipv6 bool) (fd int, err error) {
	fd, err = unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return 0, err
	}
	timeout := unix.NsecToTimeval(netlinkTimeout.Nanoseconds())
	request := make([]byte, unix.SizeofNlMsghdr+routeHeader)
	binary.NativeEndian.PutUint32(request, uint32(len(request)))
	binary.NativeEndian.PutUint16(request[4:], unix.RTM_GETROUTE)
	binary.NativeEndian.PutUint16(request[6:], unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	request[unix.SizeofNlMsghdr] = unix.AF_INET
	if ipv6 {
		request[unix.SizeofNlMsghdr] = unix.AF_INET6
	}
	for _, step := range []func() error{
		func() error { return unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_GET_STRICT_CHK, 1) },
		func() error { return unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout) },
		func() error { return unix.Sendto(fd, request, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}) },
	} {
		if err := step(); err != nil {
			_ = unix.Close(fd)
			return 0, err
		}
	}
	return fd, nil
}

// partOf returns what a route has in common with n, unless the route is ours.
func partOf(n netip.Prefix, data []byte) (part netip.Prefix, ok bool) {
	if len(data) < routeHeader || data[routeType] != unix.RTN_UNICAST || data[routeProtocolOffset] == routeProtocol {
		return part, false
	}
	attributes, err := syscall.ParseNetlinkRouteAttr(&syscall.NetlinkMessage{Header: syscall.NlMsghdr{Type: unix.RTM_NEWROUTE}, Data: data})
	if err != nil {
		return part, false
	}
	for _, a := range attributes {
		if a.Attr.Type != unix.RTA_DST {
			continue
		}
		address, ok := netip.AddrFromSlice(a.Value)
		to := netip.PrefixFrom(address, int(data[routeDstLen]))
		if !ok || !to.Overlaps(n) {
			return part, false
		}
		if to.Bits() < n.Bits() {
			to = n
		}
		return to, true
	}
	return n, true // a default route
}
