package policy

import (
	"fmt"
	"slices"
)

// shadowed warns of rules that can never decide, because an earlier one matches
// whatever they match.
func (v *validator) shadowed() {
	rules := New(v.cfg.Policy).rules
	for i := range rules {
		for j := range i {
			if !rules[j].covers(&rules[i]) {
				continue
			}
			path := fmt.Sprintf("policy.rules[%d]", i)
			v.warn(path, fmt.Sprintf("rule %s, which never decides: rule %s on line %d matches first", rules[i].Name, rules[j].Name, v.places[fmt.Sprintf("policy.rules[%d]", j)].line), "the narrower rule first")
			break
		}
	}
}

// covers reports that r matches every subject that other matches. It may miss
// cases; it never claims a wrong one.
func (r *compiledRule) covers(other *compiledRule) bool {
	return (r.backend == "" || r.backend == other.backend) &&
		(r.sid == "" || r.sid == other.sid) &&
		(r.group == "" || r.group == other.group) &&
		r.clients.covers(other.clients) &&
		coversAssurance(r.assured, other.assured) &&
		r.account.covers(other.account)
}

// coversAssurance reports whether every assurance of other is in one; an empty list
// has all.
func coversAssurance(one, other []Assurance) bool {
	if len(one) == 0 {
		return true
	}
	missing := func(a Assurance) bool { return !slices.Contains(one, a) }
	return len(other) > 0 && !slices.ContainsFunc(other, missing)
}
