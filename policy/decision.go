package policy

import "fmt"

// Action is what becomes of an NspiBind.
type Action uint8

// The actions. The zero value is none of them, so that a Decision that nobody
// made does not grant anything.
const (
	// Grant: below the limit, the bind goes to the domain controller.
	Grant Action = iota + 1
	// Refuse: at the limit, the proxy answers; the domain controller sees nothing.
	Refuse
	// GrantOverLimit: at the limit, but the bind goes to the domain controller
	// and is reported, because the rule only watches (dry run).
	GrantOverLimit
)

// String returns the action as logs name it.
func (a Action) String() string {
	switch a {
	case Grant:
		return "grant"
	case Refuse:
		return "refuse"
	case GrantOverLimit:
		return "grant over limit"
	}
	return fmt.Sprintf("action(%d)", uint8(a))
}

// Decision is the answer of a rule to one NspiBind. It is a plain value: logs,
// metrics and reports read the same one. Package session judges the limit, in one
// step with taking the slot; [Rule.Decision] puts its answer into words.
type Decision struct {
	Action  Action
	Rule    string // name of the rule, [DefaultRule] if none matched
	Limit   Limit
	Current int  // sessions of the user before this bind, where they are counted
	DryRun  bool // the rule only watches
	// Unknown says which rule could not be judged and what it needs, as
	// [Rule.Unknown] does.
	Unknown string
}

// Decision returns the decision of r on an NspiBind that the session table has
// answered. current is how many slots count against the user before this bind,
// and reserved says whether the table reserved one more, both from one call:
//
//	slot, usage, outcome := conn.Reserve(session.ReserveRequest{User: id, Limit: int(rule.Enforced())})
//	if outcome == session.Wait {
//		return // no decision yet
//	}
//	d := rule.Decision(usage.Proven(), outcome == session.Reserved)
//
// The table's answer alone says whether the bind is allowed: d.Allowed() is
// reserved. The limit is compared with current only to tell a grant from a grant
// over the limit.
func (r Rule) Decision(current int, reserved bool) Decision {
	d := Decision{Action: Grant, Rule: r.Name, Limit: r.Limit, Current: current, DryRun: r.DryRun, Unknown: r.Unknown}
	switch {
	case !reserved:
		d.Action = Refuse
	case r.Limit.Reached(current):
		d.Action = GrantOverLimit
	}
	return d
}

// RefuseUncounted returns the decision to refuse an NspiBind that the session
// table was not asked about, because the user could not be identified and the
// configuration demands it. why is the reason, such as "the directory is down".
// A rule that only watches does not change it.
func (r Rule) RefuseUncounted(why string) Decision {
	return Decision{Action: Refuse, Rule: r.Name, Limit: r.Limit, Unknown: why}
}

// Allowed reports whether the bind goes to the domain controller.
func (d Decision) Allowed() bool { return d.Action == Grant || d.Action == GrantOverLimit }

// OverLimit reports whether the limit was reached, refused or not.
func (d Decision) OverLimit() bool { return d.Action == Refuse || d.Action == GrantOverLimit }

// String returns the decision in words, such as
// "refuse: 50 of 50 sessions held, rule default; rule watched needs a SID".
func (d Decision) String() string {
	held := fmt.Sprintf("%d of %s sessions held", d.Current, d.Limit)
	dryRun := ""
	if d.DryRun {
		dryRun = " (dry run)"
	}
	unknown := ""
	if d.Unknown != "" {
		unknown = "; " + d.Unknown
	}
	return fmt.Sprintf("%s%s: %s, rule %s%s", d.Action, dryRun, held, d.Rule, unknown)
}
