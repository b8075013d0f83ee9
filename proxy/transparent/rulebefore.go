package transparent

import (
	"fmt"
	"net/netip"
	"strings"
)

// ruleBefore is a routing rule of others that the kernel looks at before ours.
type ruleBefore struct {
	priority   int
	not        bool // it is for packets that it does not match
	from, to   netip.Prefix
	in, out    string
	mark, mask uint32
	protocol   uint8 // 0: any
	sport      portRange
	dport      portRange
	table      uint32 // where it leads; 0: nowhere
	goTo       int
	action     string // in place of a table: such as "unreachable"
}

// portRange is the first and the last of some ports; the zero portRange is all.
type portRange [2]uint16

func (p portRange) has(port uint16) bool { return p == portRange{} || p[0] <= port && port <= p[1] }

func (p portRange) String() string {
	if p[0] == p[1] {
		return fmt.Sprint(p[0])
	}
	return fmt.Sprintf("%d-%d", p[0], p[1])
}

// tcp is IPPROTO_TCP.
const tcp = 6

// matches reports whether a packet may be one that the rule is for.
func (r ruleBefore) matches(q question) bool {
	match := (!r.from.IsValid() || r.from.Contains(q.from)) && (!r.to.IsValid() || r.to.Contains(q.to)) &&
		(r.in == "" || r.in == q.in.name) && r.out == "" && q.mark&r.mask == r.mark && (r.protocol == 0 || r.protocol == tcp) &&
		r.sport.has(q.fromPort) && r.dport.has(q.toPort)
	return match != r.not
}

// leadsAway reports whether a packet that the rule is for may not get to ours.
func (r ruleBefore) leadsAway() bool {
	switch r.action {
	case "nop":
		return false
	case "goto":
		return r.goTo > prefLookup
	}
	return true
}

// String is the rule as ip prints it.
func (r ruleBefore) String() string {
	words := []string{fmt.Sprintf("%d:", r.priority)}
	add := func(is bool, format string, args ...any) {
		if is {
			words = append(words, fmt.Sprintf(format, args...))
		}
	}
	add(r.not, "not")
	add(true, "from %s", anyNetwork(r.from))
	add(r.to.IsValid(), "to %v", r.to)
	add(r.mask != 0, "fwmark %#x/%#x", r.mark, r.mask)
	add(r.in != "", "iif %s", r.in)
	add(r.out != "", "oif %s", r.out)
	add(r.protocol == tcp, "ipproto tcp")
	add(r.protocol != 0 && r.protocol != tcp, "ipproto %d", r.protocol)
	add(r.sport != portRange{}, "sport %v", r.sport)
	add(r.dport != portRange{}, "dport %v", r.dport)
	add(r.action == "", "lookup %d", r.table)
	add(r.action == "goto", "goto %d", r.goTo)
	add(r.action != "" && r.action != "goto", "%s", r.action)
	return strings.Join(words, " ")
}

func anyNetwork(p netip.Prefix) string {
	if !p.IsValid() {
		return "all"
	}
	return p.String()
}

// furtherBit returns a bit that is neither in mark nor in what those rules look at: a
// packet with it, too, has to go the same way. 0: there is none.
func furtherBit(mark uint32, before []ruleBefore) uint32 {
	taken := mark
	for _, r := range before {
		taken |= r.mask
	}
	for bit := uint32(1) << 31; bit != 0; bit >>= 1 {
		if taken&bit == 0 {
			return bit
		}
	}
	return 0
}

// blame returns which of those rules leads a packet away, to a table or, if that is 0,
// nowhere: the first that may.
func blame(q question, table uint32, before []ruleBefore) (ruleBefore, bool) {
	var found *ruleBefore
	for i, r := range before {
		switch {
		case !r.matches(q) || !r.leadsAway():
		case r.action == "" && r.table == table || r.action != "" && r.action != "goto" && table == 0:
			return r, true
		case found == nil:
			found = &before[i]
		}
	}
	if found == nil {
		return ruleBefore{}, false
	}
	return *found, true
}

// withMark reports whether the rule is for packets that carry mark and some other bits:
// a chain of others may set them.
func (r ruleBefore) withMark(mark uint32) bool {
	return !r.not && r.mask != 0 && mark&r.mask&^r.mark == 0 && mark&r.mask != r.mark && r.leadsAway()
}
