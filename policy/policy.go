package policy

import (
	"net/netip"
	"slices"
)

// DefaultRule is the name of the rule that applies when no other matches. No
// rule of the configuration may have it.
const DefaultRule = "default"

// Subject is whom an NspiBind is charged to and where it comes from: what rules
// look at. Empty fields are unknown, and match no condition on them. There is no
// user without groups: an account has its primary group.
type Subject struct {
	SID     string     // "S-1-5-…" in decimal, as [SID] prints it
	Groups  []string   // SIDs of the groups, nested ones included, in the same form
	Account Name       // no User: it has no name
	Client  netip.Addr // IPv4-mapped addresses count as IPv4, zones are ignored
	Backend string     // name of the backend
	// Assurance is how well the user is known. It is always known.
	Assurance Assurance
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
	// Unknown names the first rule before it that might have matched, and what
	// about the user would have to be known, such as "rule watched needs a SID".
	// Empty: all conditions could be judged.
	Unknown string
}

// compiledRule is a rule with its conditions ready to compare.
type compiledRule struct {
	Rule
	sid     string
	group   string
	backend string
	account Pattern
	clients addrSet
	assured []Assurance // empty: any
	needs   needs
}

// needs is what a rule says when a condition has nothing to compare with. The
// texts are made once: Match does not allocate.
type needs struct{ sid, group, account string }

func needsOf(rule string) needs {
	return needs{
		sid:     "rule " + rule + " needs a SID",
		group:   "rule " + rule + " needs groups",
		account: "rule " + rule + " needs an account",
	}
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
			group:   string(r.Match.Group),
			backend: r.Match.Backend,
			account: r.Match.Account,
			clients: newAddrSet(r.Match.Clients),
			assured: r.Match.Assurance,
			needs:   needsOf(r.Name),
		})
	}
	return p
}

// Match returns the first rule that matches s, or the default. It does not
// allocate as long as the account is ASCII of less than [foldBuffer] bytes. Its time
// is linear in the number of rules, in that of groups and in the length of the
// account.
func (p *Policy) Match(s Subject) Rule {
	var buf [foldBuffer]byte
	account := s.Account.folded(buf[:0])
	client := s.Client.Unmap().WithZone("")
	rule, unknown := p.fallback, ""
	for i := range p.rules {
		if !p.rules[i].possible(&s, &account, client) {
			continue
		}
		lacks := p.rules[i].lacks(&s)
		if lacks == "" {
			rule = p.rules[i].Rule
			break
		}
		if unknown == "" {
			unknown = lacks
		}
	}
	rule.Unknown = unknown
	return rule
}

// possible reports whether no condition of r fails on what is known of s.
// account is s.Account folded, client is s.Client unmapped: both are the same for
// all rules.
func (r *compiledRule) possible(s *Subject, account *foldedName, client netip.Addr) bool {
	switch {
	case r.backend != "" && r.backend != s.Backend,
		len(r.assured) > 0 && !slices.Contains(r.assured, s.Assurance),
		r.sid != "" && s.SID != "" && r.sid != s.SID,
		!r.clients.isAll() && !r.clients.contains(client),
		r.group != "" && len(s.Groups) > 0 && !slices.Contains(s.Groups, r.group):
		return false
	}
	return r.account.IsZero() || s.Account.User == "" || r.account.match(account)
}

// lacks says which condition of r has nothing to compare with; empty: none.
func (r *compiledRule) lacks(s *Subject) string {
	switch {
	case r.sid != "" && s.SID == "":
		return r.needs.sid
	case r.group != "" && len(s.Groups) == 0:
		return r.needs.group
	case !r.account.IsZero() && s.Account.User == "":
		return r.needs.account
	}
	return ""
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

// Enforced returns the limit to reserve against: that of the rule, or
// [Unlimited] if the rule only watches.
func (r Rule) Enforced() Limit {
	if r.DryRun {
		return Unlimited
	}
	return r.Limit
}
