package transparent

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"github.com/mdlayher/netlink"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// changesBuffer is the receive buffer of what the kernel tells, in bytes. It is for a
// moment only: where more is told than fits, it is enough to know that something was.
const changesBuffer = 32 << 10

// changes hears of transactions of nftables, of routing rules, and of routes in one
// table. A filter in the kernel passes over the others, so that a router that learns
// thousands of routes a second wakes nobody here.
type changes struct {
	// changed has a message when something was changed. Whoever reads it slowly is
	// not told more often.
	changed chan struct{}
	table   int
	stop    chan struct{}
	conns   []*netlink.Conn
	readers sync.WaitGroup

	mu         sync.Mutex
	generation uint32 // of the last transaction,
	by         string // and the program that made it
}

func newChanges(routeTable int) *changes {
	return &changes{changed: make(chan struct{}), table: routeTable, stop: make(chan struct{})}
}

// listen begins to listen. Without the right to do so nothing is heard; then the
// regular comparisons have to do.
func (c *changes) listen() {
	c.hear(unix.NETLINK_NETFILTER, transactions(), c.transaction, unix.NFNLGRP_NFTABLES)
	c.hear(unix.NETLINK_ROUTE, routingChanges(c.table), func(netlink.Message) {},
		unix.RTNLGRP_IPV4_RULE, unix.RTNLGRP_IPV6_RULE, unix.RTNLGRP_IPV4_ROUTE, unix.RTNLGRP_IPV6_ROUTE)
}

// hear starts a reader of messages to the given groups.
func (c *changes) hear(protocol int, filter []bpf.Instruction, each func(netlink.Message), groups ...uint32) {
	conn, err := netlink.Dial(protocol, nil)
	if err != nil {
		return
	}
	raw, err := bpf.Assemble(filter)
	if err == nil {
		err = errors.Join(conn.SetReadBuffer(changesBuffer), conn.SetBPF(raw))
	}
	for _, g := range groups {
		if err == nil {
			err = conn.JoinGroup(g)
		}
	}
	if err != nil {
		_ = conn.Close()
		return
	}
	c.conns = append(c.conns, conn)
	c.readers.Go(func() { c.read(conn, each) })
}

// read passes on that something was changed, until the connection is closed.
func (c *changes) read(conn *netlink.Conn, each func(netlink.Message)) {
	for {
		messages, err := conn.Receive()
		if err != nil && !errors.Is(err, unix.ENOBUFS) {
			return
		}
		for _, m := range messages {
			each(m)
		}
		select {
		case c.changed <- struct{}{}:
		case <-c.stop:
			return
		}
	}
}

// close ends the readers.
func (c *changes) close() {
	close(c.stop)
	for _, conn := range c.conns {
		_ = conn.Close()
	}
	c.readers.Wait()
}

// transaction takes the message at the end of a transaction, which says whose it was.
func (c *changes) transaction(m netlink.Message) {
	if len(m.Data) < nfHeader {
		return
	}
	a, err := readAttributes(m.Data[nfHeader:])
	if err != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.generation = a.number(unix.NFTA_GEN_ID)
	c.by = fmt.Sprintf("%s (process %d)", a.text(unix.NFTA_GEN_PROC_NAME), a.number(unix.NFTA_GEN_PROC_PID))
}

// author names the program that made a transaction; empty: that was not heard.
func (c *changes) author(generation uint32) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.generation != generation {
		return ""
	}
	return c.by
}

// Where the filters find things, in bytes: a struct nlmsghdr and then, in messages about
// routes, a struct rtmsg.
const (
	messageType = 4
	routeTable  = 16 + 4
)

// pass and ignore are the ends of a filter.
var pass, ignore = bpf.RetConstant{Val: 1 << 16}, bpf.RetConstant{Val: 0}

// nativeOrder returns a number of 16 bits as a filter reads it: in network order,
// where the kernel writes it in this machine's.
func nativeOrder(n uint16) uint32 {
	return uint32(binary.BigEndian.Uint16(binary.NativeEndian.AppendUint16(nil, n)))
}

// transactions passes the message at the end of each transaction of nftables.
func transactions() []bpf.Instruction {
	end := nativeOrder(unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_NEWGEN)
	return []bpf.Instruction{
		bpf.LoadAbsolute{Off: messageType, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: end, SkipFalse: 1},
		pass, ignore,
	}
}

// routingChanges passes all routing rules, and routes in a table. Those with a number
// of more than 8 bits are all alike.
func routingChanges(table int) []bpf.Instruction {
	number := uint32(table)
	if table > 0xff {
		number = unix.RT_TABLE_COMPAT
	}
	return []bpf.Instruction{
		bpf.LoadAbsolute{Off: messageType, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: nativeOrder(unix.RTM_NEWRULE), SkipTrue: 3},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: nativeOrder(unix.RTM_DELRULE), SkipTrue: 2},
		bpf.LoadAbsolute{Off: routeTable, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: number, SkipFalse: 1},
		pass, ignore,
	}
}
