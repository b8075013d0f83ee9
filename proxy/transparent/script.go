package transparent

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/nspiproxy/nspiproxy/policy"
)

// Script returns the rules as a shell script that puts them in force, with the
// given ports as learnt ones: what --apply does, for reading and for machines
// without this program.
func (p *Plan) Script(learnt []netip.AddrPort) string {
	if p.Empty() {
		return "#!/bin/sh\n# No listener is transparent: there is nothing to do.\n"
	}
	var b strings.Builder
	say := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	say("#!/bin/sh")
	say("# Leads connections of clients to nspiproxy. Run it as root, as often as you like.")
	say("# Undo it: nspiproxy rules --remove, or")
	say("#   nft delete table inet %s", TableName)
	for _, f := range p.routedFamilies() {
		for _, c := range flushCommands() {
			say("#   %s", f.commandLine(c))
		}
	}
	say("# This machine must forward packets:")
	for _, f := range p.families() {
		say("#   sysctl -w %s=1", f.forwarding)
	}
	say("# A firewall on it, in its input hook, must accept what comes here:")
	for _, rule := range p.firewall() {
		say("#   %s", rule)
	}
	say("set -e")
	for _, f := range p.routedFamilies() {
		for _, c := range append(flushCommands(), p.wanted(f)...) {
			say("%s", f.commandLine(c))
		}
	}
	say("nft -f - <<'RULES'\n%sRULES", p.Ruleset(learnt))
	return b.String()
}

// families returns those that the plan has destinations of.
func (p *Plan) families() (has []family) {
	for _, f := range families {
		if len(f.destinations(p.listeners...)) > 0 {
			has = append(has, f)
		}
	}
	return has
}

// routedFamilies returns those whose marked packets need a route.
func (p *Plan) routedFamilies() (has []family) {
	for _, f := range families {
		if p.wanted(f) != nil {
			has = append(has, f)
		}
	}
	return has
}

// firewall returns what a firewall on this machine has to let in: TPROXY keeps
// the destination, REDIRECT exchanges it before the input hook.
func (p *Plan) firewall() (rules []string) {
	if len(p.routedFamilies()) > 0 {
		rules = append(rules, fmt.Sprintf("meta mark & %[1]d == %[1]d accept", p.settings.Mark))
	}
	for _, l := range p.of(policy.ModeRedirect) {
		rules = append(rules, fmt.Sprintf("tcp dport %d accept", l.Port))
	}
	return rules
}
