package standby

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// changeGroups are the groups of netlink messages about links and addresses.
const changeGroups = unix.RTMGRP_LINK | unix.RTMGRP_IPV4_IFADDR | unix.RTMGRP_IPV6_IFADDR

// Changes tells, until ctx ends, that links or addresses of this machine may have
// changed. Changes that come in a row are told once.
func Changes(ctx context.Context) (<-chan struct{}, error) {
	conn, err := netlink.Dial(unix.NETLINK_ROUTE, &netlink.Config{Groups: changeGroups})
	if err != nil {
		return nil, fmt.Errorf("changes of addresses are not told by the kernel: %w", err)
	}
	context.AfterFunc(ctx, func() { _ = conn.Close() })
	changes := make(chan struct{}, 1)
	go receive(ctx, conn, changes)
	return changes, nil
}

// receive passes the news on. An error is that of a queue which was too long, which is
// news as well, or that of the end.
func receive(ctx context.Context, conn *netlink.Conn, changes chan<- struct{}) {
	for ctx.Err() == nil {
		if _, err := conn.Receive(); err != nil {
			time.Sleep(time.Millisecond) // whatever it is, it does not take a processor
		}
		select {
		case changes <- struct{}{}:
		default:
		}
	}
}

// routeHeader is the length of struct rtmsg in bytes, which begins with the family and
// the length of the destination in bits.
const routeHeader = 12

// Linked reports whether a packet to addr leaves this machine: there is a route, and its
// interface has a carrier.
func Linked(addr netip.Addr) bool {
	index, err := outgoing(addr)
	if err != nil {
		return false
	}
	i, err := net.InterfaceByIndex(index)
	return err == nil && i.Flags&net.FlagRunning != 0
}

// outgoing returns the number of the interface that leads to addr.
func outgoing(addr netip.Addr) (int, error) {
	conn, err := netlink.Dial(unix.NETLINK_ROUTE, &netlink.Config{Strict: true})
	if err != nil {
		return 0, err
	}
	defer func() { _ = conn.Close() }()
	header := make([]byte, routeHeader)
	header[0], header[1] = unix.AF_INET, byte(addr.BitLen())
	if addr.Is6() {
		header[0] = unix.AF_INET6
	}
	destination := netlink.NewAttributeEncoder()
	destination.Bytes(unix.RTA_DST, addr.AsSlice())
	attributes, err := destination.Encode()
	if err != nil {
		return 0, err
	}
	answers, err := conn.Execute(netlink.Message{
		Header: netlink.Header{Type: unix.RTM_GETROUTE, Flags: netlink.Request}, Data: append(header, attributes...),
	})
	if err != nil {
		return 0, err
	}
	for _, m := range answers {
		if len(m.Data) < routeHeader {
			continue
		}
		a, err := netlink.NewAttributeDecoder(m.Data[routeHeader:])
		if err != nil {
			return 0, err
		}
		for a.Next() {
			if a.Type() == unix.RTA_OIF {
				return int(a.Uint32()), nil
			}
		}
	}
	return 0, fmt.Errorf("no route to %v", addr)
}
