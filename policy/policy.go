package policy

import "net/netip"

// DefaultRule is the name of the rule that applies when no other matches. No
// rule of the configuration may have it.
const DefaultRule = "default"

// Subject is whom an NspiBind is charged to and where it comes from: what rules
// look at. Empty fields are unknown, and match no condition on them.
type Subject struct {
	SID     string     // "S-1-5-…" in decimal, as [SID] prints it
	Account string     // `DOMAIN\user`, `user@domain` or `user`, in any case
	Client  netip.Addr // IPv4-mapped addresses count as IPv4, zones are ignored
	Backend string     // name of the backend
}

// Policy is a compiled list of rules. It is immutable and safe for concurrent
// use.
type Policy struct {
	rules    []compiledRule
	fallback Rule
}

// Rule is what the first matching rule allows.
type Rule struct {
	Name   string
	Limit  Limit
	DryRun bool // the rule watches and refuses nothing
}

// compiledRule is a rule with its conditions ready to compare.
type compiledRule struct {
	Rule
	sid     string
	backend string
	account Pattern
	clients addrSet
}

// New compiles rules. Rules from [Parse] are always valid; of rules built in
// code, only what [Parse] would accept has a defined meaning.
func New(rules Ruleset) *Policy {
	p := &Policy{
		rules:    make([]compiledRule, 0, len(rules.Rules)),
		fallback: Rule{Name: DefaultRule, Limit: rules.Default.Limit, DryRun: rules.DryRun},
	}
	for _, r := range rules.Rules {
		p.rules = append(p.rules, compiledRule{
			Rule:    Rule{Name: r.Name, Limit: r.Limit, DryRun: r.DryRun || rules.DryRun},
			sid:     string(r.Match.SID),
			backend: r.Match.Backend,
			account: r.Match.Account,
			clients: newAddrSet(r.Match.Clients),
		})
	}
	return p
}

// Match returns the first rule that matches s, or the default. It does not
// allocate as long as the account is shorter than [foldBuffer] bytes. Its time
// is linear in the number of rules and in the length of the account.
func (p *Policy) Match(s Subject) Rule {
	var buf [foldBuffer]byte
	account := appendAccount(buf[:0], s.Account)
	client := s.Client.Unmap().WithZone("")
	for i := range p.rules {
		if p.rules[i].matches(&s, account, client) {
			return p.rules[i].Rule
		}
	}
	return p.fallback
}

// matches reports whether every condition of r holds. account is s.Account in
// the form of appendAccount, client is s.Client unmapped: both are the same for
// all rules.
func (r *compiledRule) matches(s *Subject, account []byte, client netip.Addr) bool {
	if r.backend != "" && r.backend != s.Backend {
		return false
	}
	if r.sid != "" && r.sid != s.SID {
		return false
	}
	if !r.clients.isAll() && !r.clients.contains(client) {
		return false
	}
	return r.account.IsZero() || (len(account) > 0 && r.account.matchFolded(account))
}

// Rules returns the rules in the order in which they are tried, the default
// last. The slice is the caller's.
func (p *Policy) Rules() []Rule {
	rules := make([]Rule, 0, len(p.rules)+1)
	for i := range p.rules {
		rules = append(rules, p.rules[i].Rule)
	}
	return append(rules, p.fallback)
}

// Decide returns what the rule says to another session of a user who holds
// current sessions on that backend.
func (r Rule) Decide(current int) Decision {
	d := Decision{Action: Grant, Rule: r.Name, Limit: r.Limit, Current: current, DryRun: r.DryRun}
	switch {
	case !r.Limit.Reached(current):
	case r.DryRun:
		d.Action = GrantOverLimit
	default:
		d.Action = Refuse
	}
	return d
}

// Enforced returns the limit to reserve against: that of the rule, or
// [Unlimited] if the rule only watches.
func (r Rule) Enforced() Limit {
	if r.DryRun {
		return Unlimited
	}
	return r.Limit
}
