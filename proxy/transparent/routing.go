package transparent

import (
	"fmt"
	"strings"

	"github.com/nspiproxy/nspiproxy/policy"
)

// routing is the arguments of ip, without the family, of each command that adds
// a rule or route of ours, in the order in which the kernel lists them.
type routing []string

// wanted returns what marked packets of that family need: none, without a TPROXY
// listener for it.
//
// Packets from outside with the mark are for this machine, whatever their
// destination. A packet has the mark if it has all of its bits: others may have
// their own in it. The rules before and after it let lookups of this machine itself
// go on to the other rules: for packets that carry the mark on their way out
// (net.ipv4.tcp_fwmark_accept, net.ipv4.fwmark_reflect) and for the question
// whether a marked packet's source is where it came from
// (net.ipv4.conf.*.src_valid_mark, a firewall's "fib saddr . mark . iif").
func (p *Plan) wanted(f family) routing {
	if len(f.destinations(p.of(policy.ModeTPROXY)...)) == 0 {
		return nil
	}
	mark, table := p.settings.Mark, p.settings.RouteTable
	return routing{
		ruleCommand(prefSkip, "iif lo ", mark, fmt.Sprintf("goto %d", prefNext)),
		ruleCommand(prefLookup, "", mark, fmt.Sprintf("lookup %d", table)),
		ruleCommand(prefNext, "", mark, "nop"),
		routeCommand(table),
	}
}

func ruleCommand(pref int, from string, mark uint32, action string) string {
	return fmt.Sprintf("rule add pref %d %sfwmark %d/%d %s protocol %d", pref, from, mark, mark, action, routeProtocol)
}

func routeCommand(table int) string {
	return fmt.Sprintf("route add local default dev lo table %d proto %d", table, routeProtocol)
}

// flushCommands remove every rule and route of ours.
func flushCommands() []string {
	return []string{
		fmt.Sprintf("rule flush protocol %d", routeProtocol),
		fmt.Sprintf("route flush table all proto %d", routeProtocol),
	}
}

// commandLine is a command of ip as it is typed.
func (f family) commandLine(command string) string { return "ip " + f.flag + " " + command }

// arguments is the same for exec.
func (f family) arguments(command string) []string {
	return append([]string{f.flag}, strings.Fields(command)...)
}
