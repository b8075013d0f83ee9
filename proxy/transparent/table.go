package transparent

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// table is the table of nftables: as a plan needs it, or as the kernel has it.
// Elements of named sets are no part of it: those of learnt ports belong to
// [PortSet], and packets add others.
type table struct {
	comment   string
	dormant   bool // it is at no hook
	chains    map[string]chain
	sets      map[string]digest // named ones
	anonymous digest            // of all that belong to a rule, with their elements
}

// chain is what is compared of a chain.
type chain struct {
	base   bool // it is at a hook
	rules  int
	digest digest // of its hook and its rules
}

// digest identifies content that the kernel has. The zero value is unknown: nft
// makes it of a plan's text, so that it is known of what was in force once.
type digest [32]byte

// table returns what the rules of the plan are in the kernel.
func (p *Plan) table() table {
	r := &ruleset{plan: p}
	r.content(nil, nil)
	t := table{comment: p.comment(), chains: map[string]chain{}, sets: map[string]digest{}}
	var in string // the chain that the line is in
	for line := range strings.Lines(r.text.String()) {
		words := strings.Fields(line)
		switch {
		case len(words) == 0 || words[0] == "#":
		case words[0] == "set" && len(words) == 3:
			t.sets[words[1]] = digest{}
		case words[0] == "chain" && len(words) == 3:
			in = words[1]
			t.chains[in] = chain{}
		case words[0] == "}":
			in = ""
		case in != "":
			c := t.chains[in]
			if words[0] == "type" {
				c.base = true
			} else {
				c.rules++
			}
			t.chains[in] = c
		}
	}
	return t
}

// maxNamed is how many things that differ are named in an error. The first one is
// the cause, or as good as it.
const maxNamed = 3

// difference says in which way has, what the kernel has, is not t; nil: in none. What
// t does not know the digest of may have any.
func (t *table) difference(has *table) *Difference {
	switch {
	case len(t.chains) == 0:
		return nil // it needs none
	case has == nil:
		return &Difference{ReasonTable, ErrNotApplied}
	case has.comment != t.comment:
		return &Difference{ReasonConfiguration, errors.New("the rules in force were made for another configuration, or by another version of this program")}
	}
	var all []string
	if has.dormant {
		all = append(all, "the table is dormant")
	}
	all = append(all, differentKeys("chain", t.chains, has.chains, chain.difference)...)
	all = append(all, differentKeys("set", t.sets, has.sets, digest.difference)...)
	if len(all) == 0 && t.anonymous.difference(has.anonymous) != "" {
		all = append(all, "the values of a rule were changed")
	}
	if len(all) == 0 {
		return nil
	}
	if n := len(all) - maxNamed; n > 0 {
		all = append(all[:maxNamed], fmt.Sprintf("and %d more", n))
	}
	return &Difference{ReasonRules, fmt.Errorf("the rules in force were changed: %s", strings.Join(all, ", "))}
}

// isLike reports whether has was made with the same rules, and has the same chains and
// sets still. Rules may differ.
func (t *table) isLike(has *table) bool {
	sameChain := func(a, b chain) bool { return a.base == b.base }
	sameSet := func(digest, digest) bool { return true }
	return has.comment == t.comment && !has.dormant && maps.EqualFunc(t.chains, has.chains, sameChain) && maps.EqualFunc(t.sets, has.sets, sameSet)
}

// difference says what is the matter with a chain, in words that follow its name.
func (c chain) difference(has chain) string {
	switch {
	case c.base && !has.base:
		return "is at no hook"
	case c.rules != has.rules:
		return fmt.Sprintf("has %d rules instead of %d", has.rules, c.rules)
	}
	return c.digest.difference(has.digest)
}

func (d digest) difference(has digest) string {
	if d != has && d != (digest{}) {
		return "was changed"
	}
	return ""
}

// differentKeys names what is different in two maps, in order.
func differentKeys[T any](kind string, wanted, has map[string]T, difference func(T, T) string) (all []string) {
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		what := "is missing"
		if h, ok := has[name]; ok {
			what = difference(wanted[name], h)
		}
		if what != "" {
			all = append(all, fmt.Sprintf("%s %s %s", kind, name, what))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(has)) {
		if _, ok := wanted[name]; !ok {
			all = append(all, fmt.Sprintf("%s %q does not belong there", kind, name))
		}
	}
	return all
}
