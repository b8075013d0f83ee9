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
	// GrantOverLimit: at the limit, but the rule only watches (dry run): the
	// bind goes to the domain controller and is reported.
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
// metrics and reports read the same one.
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
