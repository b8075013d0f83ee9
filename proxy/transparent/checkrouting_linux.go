package transparent

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Rules (struct fib_rule_hdr) and routes (struct rtmsg) have a header of this
// length in bytes, which begins with the address family.
const routeHeader = 12

// Offsets in struct rtmsg, and in struct fib_rule_hdr.
const (
	routeDstLen         = 1
	routeSrcLen         = 2
	routeProtocolOffset = 5
	routeType           = 7
	ruleAction          = 7
	routeFlags          = 8
)

// checkRouting returns ErrNoRouting if marked packets do not find their way to
// this machine, and errForeignRoute or errLedAway if others may lead them elsewhere:
// then connections hang that the rules have marked.
func (p *Plan) checkRouting() error {
	routed := p.routedFamilies()
	if len(routed) == 0 {
		return nil
	}
	conn, err := dialRoute()
	if err != nil {
		return fmt.Errorf("the routing rules cannot be looked at: %w", err)
	}
	defer func() { _ = conn.Close() }()
	for _, f := range routed {
		if !f.enabled() {
			continue // nothing comes here by it
		}
		rules, err := f.rulesInForce(conn)
		if err != nil {
			return fmt.Errorf("the routing rules cannot be looked at: %w", err)
		}
		local, foreign, err := p.routesInForce(conn, f)
		if err != nil {
			return fmt.Errorf("the routes cannot be looked at: %w", err)
		}
		wanted := p.wanted(f)
		switch last := len(wanted) - 1; { // the route
		case !slices.Equal(rules, wanted[:last]) || !local:
			return ErrNoRouting
		case foreign:
			return fmt.Errorf("%w %d: set transparent.route_table to a free number", errForeignRoute, p.settings.RouteTable)
		}
	}
	return p.checkAllLookups(conn, routed)
}

// checkAllLookups asks where marked packets of those families go.
func (p *Plan) checkAllLookups(conn *netlink.Conn, routed []family) error {
	links, err := readLinks(conn)
	if err != nil {
		return fmt.Errorf("the interfaces cannot be looked at: %w", err)
	}
	for _, f := range routed {
		if !f.enabled() {
			continue
		}
		if err := p.checkLookups(conn, f, links); err != nil {
			return err
		}
	}
	return nil
}

// dialRoute returns a connection for questions about interfaces and routes. It is
// strict: the kernel sends only what was asked for, on routers with a million routes
// too.
func dialRoute() (*netlink.Conn, error) {
	conn, err := netlink.Dial(unix.NETLINK_ROUTE, &netlink.Config{Strict: true})
	if err != nil {
		return nil, err
	}
	if err := conn.SetDeadline(time.Now().Add(netlinkTimeout)); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return conn, nil
}

// rulesInForce returns our routing rules in the kernel's order.
func (f family) rulesInForce(conn *netlink.Conn) (all routing, err error) {
	err = dump(conn, unix.RTM_GETRULE, routeHeader, f.header(), func(header []byte, a *netlink.AttributeDecoder) {
		var r rule
		var protocol uint8
		for a.Next() {
			switch a.Type() {
			case unix.FRA_PRIORITY:
				r.Priority = int(a.Uint32())
			case unix.FRA_FWMARK:
				r.Mark = fmt.Sprint(a.Uint32())
			case unix.FRA_FWMASK:
				r.Mask = fmt.Sprint(a.Uint32())
			case unix.FRA_IIFNAME:
				r.IIF = a.String()
			case unix.FRA_GOTO:
				r.Goto = int(a.Uint32())
			case unix.FRA_TABLE:
				if header[ruleAction] == unix.FR_ACT_TO_TBL {
					r.Table = fmt.Sprint(a.Uint32())
				}
			case unix.FRA_PROTOCOL:
				protocol = a.Uint8()
			}
		}
		if protocol == routeProtocol {
			all = append(all, r.command())
		}
	})
	return all, err
}

// routesInForce reports whether our table has the route that makes everything local,
// and whether it has others, which marked packets would follow.
func (p *Plan) routesInForce(conn *netlink.Conn, f family) (local, foreign bool, err error) {
	table := netlink.NewAttributeEncoder()
	table.Uint32(unix.RTA_TABLE, uint32(p.settings.RouteTable))
	attributes, err := table.Encode()
	if err != nil {
		return false, false, err
	}
	err = dump(conn, unix.RTM_GETROUTE, routeHeader, append(f.header(), attributes...), func(header []byte, _ *netlink.AttributeDecoder) {
		if header[routeType] == unix.RTN_LOCAL && header[routeDstLen] == 0 {
			local = true
		} else {
			foreign = true
		}
	})
	if errors.Is(err, unix.ENOENT) {
		err = nil // no such table
	}
	return local, foreign, err
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

// dump calls each with the header, of that many bytes, and the attributes of
// everything that the kernel lists.
func dump(conn *netlink.Conn, kind netlink.HeaderType, length int, request []byte, each func(header []byte, a *netlink.AttributeDecoder)) error {
	answers, err := conn.Execute(netlink.Message{Header: netlink.Header{Type: kind, Flags: netlink.Request | netlink.Dump}, Data: request})
	if err != nil {
		return err
	}
	for _, m := range answers {
		if len(m.Data) < length {
			return errors.New("a message without a header")
		}
		a, err := netlink.NewAttributeDecoder(m.Data[length:])
		if err != nil {
			return err
		}
		each(m.Data[:length], a)
	}
	return nil
}
