package transparent

import (
	"encoding/binary"
	"net/netip"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Offsets in struct fib_rule_hdr.
const (
	ruleDstLen = 1
	ruleSrcLen = 2
	ruleFlags  = 8
)

// ruleActions are the actions of rules that lead to no table, as ip calls them.
var ruleActions = map[uint8]string{
	unix.FR_ACT_GOTO: "goto", unix.FR_ACT_NOP: "nop",
	unix.FR_ACT_BLACKHOLE: "blackhole", unix.FR_ACT_UNREACHABLE: "unreachable", unix.FR_ACT_PROHIBIT: "prohibit",
}

// rulesBefore returns the rules of others before ours, in the kernel's order. That for
// the table of local addresses is not among them: it is first everywhere.
func (f family) rulesBefore(conn *netlink.Conn) (before []ruleBefore, err error) {
	err = dump(conn, unix.RTM_GETRULE, routeHeader, f.header(), func(header []byte, a *netlink.AttributeDecoder) {
		r, protocol := parseRuleBefore(header, a)
		if r.priority <= prefLookup && protocol != routeProtocol && r.table != unix.RT_TABLE_LOCAL {
			before = append(before, r)
		}
	})
	return before, err
}

// parseRuleBefore reads a rule, and which program it is from.
func parseRuleBefore(header []byte, a *netlink.AttributeDecoder) (r ruleBefore, protocol uint8) {
	r.not = binary.NativeEndian.Uint32(header[ruleFlags:])&unix.FIB_RULE_INVERT != 0
	r.action = ruleActions[header[ruleAction]]
	network := func(length byte) netip.Prefix {
		address, _ := netip.AddrFromSlice(a.Bytes())
		return netip.PrefixFrom(address, int(length))
	}
	for a.Next() {
		switch a.Type() {
		case unix.FRA_PRIORITY:
			r.priority = int(a.Uint32())
		case unix.FRA_SRC:
			r.from = network(header[ruleSrcLen])
		case unix.FRA_DST:
			r.to = network(header[ruleDstLen])
		case unix.FRA_IIFNAME:
			r.in = a.String()
		case unix.FRA_OIFNAME:
			r.out = a.String()
		case unix.FRA_FWMARK:
			r.mark = a.Uint32()
		case unix.FRA_FWMASK:
			r.mask = a.Uint32()
		case unix.FRA_TABLE:
			r.table = a.Uint32()
		case unix.FRA_GOTO:
			r.goTo = int(a.Uint32())
		case unix.FRA_IP_PROTO:
			r.protocol = a.Uint8()
		case unix.FRA_SPORT_RANGE:
			r.sport = parsePortRange(a.Bytes())
		case unix.FRA_DPORT_RANGE:
			r.dport = parsePortRange(a.Bytes())
		case unix.FRA_PROTOCOL:
			protocol = a.Uint8()
		}
	}
	if r.action != "" {
		r.table = 0
	}
	return r, protocol
}

// parsePortRange reads struct fib_rule_port_range.
func parsePortRange(b []byte) (p portRange) {
	if len(b) == 4 {
		p[0], p[1] = binary.NativeEndian.Uint16(b), binary.NativeEndian.Uint16(b[2:])
	}
	return p
}
