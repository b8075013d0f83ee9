package transparent

import (
	"errors"
	"fmt"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Rules (struct fib_rule_hdr) and routes (struct rtmsg) have a header of this
// length in bytes, which begins with the address family.
const routeHeader = 12

// Offsets in struct rtmsg.
const (
	routeDstLen = 1
	routeType   = 7
)

// checkRouting returns ErrNoRouting if marked packets do not find their way to
// this machine: then connections hang that the rules have marked.
func (p *Plan) checkRouting() error {
	routed := p.routedFamilies()
	if len(routed) == 0 {
		return nil
	}
	// Strict: the kernel sends only what was asked for, on routers with a million
	// routes too.
	conn, err := netlink.Dial(unix.NETLINK_ROUTE, &netlink.Config{Strict: true})
	if err != nil {
		return fmt.Errorf("the routing rules cannot be looked at: %w", err)
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(netlinkTimeout)); err != nil {
		return err
	}
	for _, f := range routed {
		rules, err := p.countRules(conn, f)
		if err != nil {
			return fmt.Errorf("the routing rules cannot be looked at: %w", err)
		}
		local, err := p.hasLocalRoute(conn, f)
		if err != nil {
			return fmt.Errorf("the routes cannot be looked at: %w", err)
		}
		if rules < prefNext-prefSkip+1 || !local {
			return ErrNoRouting
		}
	}
	return nil
}

// countRules returns how many of our rules are there.
func (p *Plan) countRules(conn *netlink.Conn, f family) (n int, err error) {
	err = dump(conn, unix.RTM_GETRULE, f.header(), func(_ []byte, a *netlink.AttributeDecoder) {
		var pref, mark, mask uint32
		var protocol uint8
		for a.Next() {
			switch a.Type() {
			case unix.FRA_PRIORITY:
				pref = a.Uint32()
			case unix.FRA_FWMARK:
				mark = a.Uint32()
			case unix.FRA_FWMASK:
				mask = a.Uint32()
			case unix.FRA_PROTOCOL:
				protocol = a.Uint8()
			}
		}
		if protocol == routeProtocol && mark == p.settings.Mark && mask == mark && pref >= prefSkip && pref <= prefNext {
			n++
		}
	})
	return n, err
}

// hasLocalRoute reports whether our table has the route that makes everything
// local, whoever it is from.
func (p *Plan) hasLocalRoute(conn *netlink.Conn, f family) (has bool, err error) {
	table := netlink.NewAttributeEncoder()
	table.Uint32(unix.RTA_TABLE, uint32(p.settings.RouteTable))
	attributes, err := table.Encode()
	if err != nil {
		return false, err
	}
	err = dump(conn, unix.RTM_GETROUTE, append(f.header(), attributes...), func(header []byte, _ *netlink.AttributeDecoder) {
		has = has || (header[routeType] == unix.RTN_LOCAL && header[routeDstLen] == 0)
	})
	if errors.Is(err, unix.ENOENT) {
		err = nil // no such table
	}
	return has, err
}

// header asks for all of that family.
func (f family) header() []byte {
	h := make([]byte, routeHeader)
	h[0] = unix.AF_INET
	if f.flag == ipv6.flag {
		h[0] = unix.AF_INET6
	}
	return h
}

// dump calls each with the header and the attributes of everything that the
// kernel lists.
func dump(conn *netlink.Conn, kind netlink.HeaderType, request []byte, each func(header []byte, a *netlink.AttributeDecoder)) error {
	answers, err := conn.Execute(netlink.Message{Header: netlink.Header{Type: kind, Flags: netlink.Request | netlink.Dump}, Data: request})
	if err != nil {
		return err
	}
	for _, m := range answers {
		if len(m.Data) < routeHeader {
			return errors.New("a message without a header")
		}
		a, err := netlink.NewAttributeDecoder(m.Data[routeHeader:])
		if err != nil {
			return err
		}
		each(m.Data[:routeHeader], a)
	}
	return nil
}
