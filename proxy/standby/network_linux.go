package standby

import (
	"context"
	"fmt"
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
