package transparent

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/nspiproxy/nspiproxy/policy"
)

// Script returns the rules as a shell script that puts them in force, with the
// given ports as learnt ones: what --apply does, for reading and for machines
// without this program. It says which configuration it is from, whose name may be
// any text.
func (p *Plan) Script(learnt []netip.AddrPort, configuration string) string {
	var b strings.Builder
	say := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	say("#!/bin/sh")
	say("# Made by nspiproxy rules from the configuration %+q: change that.", configuration)
	if p.Empty() {
		say("# No listener is transparent: there is nothing to do.")
		return b.String()
	}
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
	say("# A firewall on it must accept, before it drops anything: in its input hook, what comes here,")
	for _, rule := range p.acceptInput() {
		say("#   %s", rule)
	}
	say("# and in its output hook, what the proxy sends:")
	for _, rule := range p.acceptOutput() {
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

// acceptInput returns what a firewall on this machine has to let in: TPROXY keeps
// the destination, REDIRECT exchanges it before the input hook.
func (p *Plan) acceptInput() (rules []string) {
	if len(p.routedFamilies()) > 0 {
		rules = append(rules, fmt.Sprintf("meta mark & %[1]d == %[1]d accept", p.settings.Mark))
	}
	for _, l := range p.of(policy.ModeRedirect) {
		rules = append(rules, fmt.Sprintf("tcp dport %d accept", l.Port))
	}
	return rules
}

// acceptOutput returns what a firewall on this machine has to let out: what it sends to
// clients under a domain controller's address, which is not tracked with TPROXY, and
// connections to domain controllers, with resets of those that it has no part in.
func (p *Plan) acceptOutput() (rules []string) {
	if len(p.of(policy.ModeTPROXY)) > 0 {
		rules = append(rules, "ct state untracked accept")
	}
	for _, f := range p.families() {
		rules = append(rules, fmt.Sprintf("meta l4proto tcp %s daddr %s accept", f.network, list(f.destinations(p.listeners...))))
	}
	return rules
}
