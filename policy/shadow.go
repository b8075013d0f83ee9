package policy

import "fmt"

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
			v.warn(path, fmt.Sprintf("rule %s, which never decides: rule %s on line %d matches first", rules[i].Name, rules[j].Name, v.lines[fmt.Sprintf("policy.rules[%d]", j)]), "the narrower rule first")
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
		r.account.covers(other.account)
}
