package policy

import (
	"testing"

	"pgregory.net/rapid"
)

// decide is the decision of r on a bind of a user who holds current sessions,
// asked of a session table that judges nothing but the limit.
func decide(r Rule, current int) Decision {
	return r.Decision(current, !r.Enforced().Reached(current))
}

func TestDecisionIsThatOfTheSessionTable(t *testing.T) {
	for _, tc := range []struct {
		rule     Rule
		current  int
		reserved bool
		want     string
	}{
		{Rule{Name: "r", Limit: 50}, 49, true, "grant: 49 of 50 sessions held, rule r"},
		{Rule{Name: "r", Limit: 50}, 50, false, "refuse: 50 of 50 sessions held, rule r"},
		{Rule{Name: "r", Limit: 0}, 0, false, "refuse: 0 of 0 sessions held, rule r"},
		{Rule{Name: "r", Limit: 50, DryRun: true}, 50, true, "grant over limit (dry run): 50 of 50 sessions held, rule r"},
		{Rule{Name: "r", Limit: Unlimited}, 1 << 30, true, "grant: 1073741824 of unlimited sessions held, rule r"},
		// The table refuses everything on a connection that is closed.
		{Rule{Name: "r", Limit: 50}, 0, false, "refuse: 0 of 50 sessions held, rule r"},
		{Rule{Name: "r", Limit: 50, DryRun: true}, 0, false, "refuse (dry run): 0 of 50 sessions held, rule r"},
		{Rule{Name: "r", Limit: 50}, 50, true, "grant over limit: 50 of 50 sessions held, rule r"},
		{Rule{Name: "r", Limit: 2, Unknown: "rule a needs groups"}, 2, false, "refuse: 2 of 2 sessions held, rule r; rule a needs groups"},
	} {
		if got := tc.rule.Decision(tc.current, tc.reserved).String(); got != tc.want {
			t.Errorf("%+v at %d, reserved %v: %s, want %s", tc.rule, tc.current, tc.reserved, got, tc.want)
		}
	}
}

func TestDecisionNeverContradictsTheSessionTable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := Rule{
			Name:   "r",
			Limit:  Limit(rapid.IntRange(-1, 3).Draw(t, "limit")),
			DryRun: rapid.Bool().Draw(t, "dry run"),
		}
		current, reserved := rapid.IntRange(0, 4).Draw(t, "current"), rapid.Bool().Draw(t, "reserved")
		d := r.Decision(current, reserved)
		if d.Allowed() != reserved {
			t.Fatalf("%v, reserved %v", d, reserved)
		}
		if reserved && d.OverLimit() != r.Limit.Reached(current) {
			t.Fatalf("%v: over limit %v", d, d.OverLimit())
		}
		if d.Rule != r.Name || d.Limit != r.Limit || d.Current != current || d.DryRun != r.DryRun {
			t.Fatalf("%v of %+v", d, r)
		}
	})
}

func TestRefusalWithoutACountNamesItsReason(t *testing.T) {
	d := Rule{Name: "r", Limit: 50, DryRun: true, Unknown: "rule a needs a SID"}.RefuseUncounted("the directory is down")
	if d.Allowed() || d.String() != "refuse: 0 of 50 sessions held, rule r; the directory is down" {
		t.Error(d)
	}
}
