package transparent

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/nspiproxy/nspiproxy/policy"
)

// Ruleset returns the rules in the language of nft, with the given ports as
// learnt ones: the same text for the same plan and ports. It replaces the table
// as a whole, in one transaction. Every value in it is an address, a number or a
// name that package policy has found plain.
func (p *Plan) Ruleset(learnt []netip.AddrPort) string { return p.ruleset(learnt, nil) }

// ruleset is Ruleset with the connections that pass by.
func (p *Plan) ruleset(learnt []netip.AddrPort, direct []directConnection) string {
	r := &ruleset{plan: p}
	r.line("# Leads connections of clients to nspiproxy. Made from its configuration: change that.")
	r.line("table inet %s", TableName)
	r.line("delete table inet %[1]s", TableName)
	r.open("table inet %s", TableName)
	r.line("comment %q", p.comment())
	r.content(learnt, direct)
	r.close()
	return r.text.String()
}

// renewal writes the same rules and ports into the table that has such rules, and keeps
// its sets of connections.
func (p *Plan) renewal(learnt []netip.AddrPort) string {
	r := &ruleset{plan: p}
	for _, name := range slices.Sorted(maps.Keys(p.table().chains)) {
		r.line("flush chain inet %s %s", TableName, name)
	}
	for _, f := range families {
		r.line("flush set inet %s %s", TableName, f.set)
	}
	r.open("table inet %s", TableName)
	r.content(learnt, nil)
	r.close()
	return r.text.String()
}

// content writes what is in the table.
func (r *ruleset) content(learnt []netip.AddrPort, direct []directConnection) {
	for _, f := range families {
		r.learntSet(f, learnt)
		r.connectionSets(f, direct)
	}
	r.tproxy(r.plan.of(policy.ModeTPROXY))
	r.redirect(r.plan.of(policy.ModeRedirect))
	r.forward()
}

// ruleset is a text under construction.
type ruleset struct {
	plan  *Plan
	text  strings.Builder
	depth int
}

// line writes one line.
func (r *ruleset) line(format string, args ...any) {
	r.text.WriteString(strings.Repeat("\t", r.depth))
	fmt.Fprintf(&r.text, format+"\n", args...)
}

// open begins a block, with an empty line before it inside another.
func (r *ruleset) open(format string, args ...any) {
	if r.depth > 0 {
		r.text.WriteByte('\n')
	}
	r.line(format+" {", args...)
	r.depth++
}

func (r *ruleset) close() {
	r.depth--
	r.line("}")
}

// learntSet writes the set of learnt ports.
func (r *ruleset) learntSet(f family, learnt []netip.AddrPort) {
	r.open("set %s", f.set)
	if f.set == setIPv4 {
		r.line("# Ports that domain controllers' endpoint mappers named. The running proxy keeps them current.")
	}
	r.line("type %s . inet_service", f.keyType)
	var elements []string
	for _, e := range f.elements(learnt) {
		elements = append(elements, fmt.Sprintf("%s . %d", e.Addr(), e.Port()))
	}
	r.elements(elements)
	r.close()
}

// elements writes what is in a set, if anything is.
func (r *ruleset) elements(elements []string) {
	if len(elements) == 0 {
		return
	}
	r.line("elements = {")
	r.depth++
	for _, e := range elements {
		r.line("%s,", e)
	}
	r.close()
}
