package policy

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestConditionsHoldTogetherOrNotAtAll(t *testing.T) {
	site := netip.MustParsePrefix("10.1.0.0/16")
	full := Match{SID: "S-1-5-21-1", Group: "S-1-5-32-544", Account: MustPattern(`LAB\a`), Clients: []netip.Prefix{site}, Backend: "dc1"}
	subject := Subject{SID: "S-1-5-21-1", Groups: []string{"S-1-5-32-545", "S-1-5-32-544"}, Account: named(`lab\A`), Client: netip.MustParseAddr("10.1.2.3"), Backend: "dc1"}
	for name, tc := range map[string]struct {
		change func(*Subject)
		want   string
	}{
		"all":                {func(*Subject) {}, "rule"},
		"mapped client":      {func(s *Subject) { s.Client = netip.MustParseAddr("::ffff:10.1.2.3") }, "rule"},
		"other SID":          {func(s *Subject) { s.SID = "S-1-5-21-10" }, DefaultRule},
		"no SID":             {func(s *Subject) { s.SID = "" }, DefaultRule},
		"other groups":       {func(s *Subject) { s.Groups = []string{"S-1-5-32-545"} }, DefaultRule},
		"no groups":          {func(s *Subject) { s.Groups = nil }, DefaultRule},
		"other account":      {func(s *Subject) { s.Account = named(`LAB\ab`) }, DefaultRule},
		"no account":         {func(s *Subject) { s.Account = Name{} }, DefaultRule},
		"other network":      {func(s *Subject) { s.Client = netip.MustParseAddr("10.2.2.3") }, DefaultRule},
		"IPv6 client":        {func(s *Subject) { s.Client = netip.MustParseAddr("2001:db8::1") }, DefaultRule},
		"no client":          {func(s *Subject) { s.Client = netip.Addr{} }, DefaultRule},
		"other backend":      {func(s *Subject) { s.Backend = "dc2" }, DefaultRule},
		"backend other case": {func(s *Subject) { s.Backend = "DC1" }, DefaultRule},
	} {
		s := subject
		tc.change(&s)
		rules := New(Ruleset{Rules: []RuleConfig{{Name: "rule", Match: full}}})
		if got := rules.Match(s).Name; got != tc.want {
			t.Errorf("%s: rule %s, want %s", name, got, tc.want)
		}
	}
}

func TestPatternForAnyNameDoesNotMatchTheNameless(t *testing.T) {
	rules := New(Ruleset{Rules: []RuleConfig{{Name: "named", Match: Match{Account: MustPattern("*")}}}})
	if got := rules.Match(Subject{Client: netip.MustParseAddr("10.0.0.1")}).Name; got != DefaultRule {
		t.Errorf("rule %s, want %s", got, DefaultRule)
	}
}

func TestLinkLocalClientsMatchWithTheirZone(t *testing.T) {
	rules := New(Ruleset{Rules: []RuleConfig{{Name: "local", Match: Match{Clients: []netip.Prefix{netip.MustParsePrefix("fe80::/10")}}}}})
	if got := rules.Match(Subject{Client: netip.MustParseAddr("fe80::1%eth0")}).Name; got != "local" {
		t.Errorf("rule %s", got)
	}
}

func TestDryRunOfThePolicyCoversEveryRule(t *testing.T) {
	rules := New(Ruleset{DryRun: true, Default: DefaultLimits{Limit: 1}, Rules: []RuleConfig{{Name: "a", Limit: 0}}})
	for _, rule := range rules.Rules() {
		if d := decide(rule, 5); !d.DryRun || d.Action != GrantOverLimit || !d.Allowed() || !d.OverLimit() {
			t.Errorf("%s: %v", rule.Name, d)
		}
		if rule.Enforced() != Unlimited {
			t.Errorf("%s enforces %v", rule.Name, rule.Enforced())
		}
	}
}

func TestDecisions(t *testing.T) {
	for _, tc := range []struct {
		rule    Rule
		current int
		action  Action
		text    string
	}{
		{Rule{Name: "r", Limit: 0}, 0, Refuse, "refuse: 0 of 0 sessions held, rule r"},
		{Rule{Name: "r", Limit: 50}, 49, Grant, "grant: 49 of 50 sessions held, rule r"},
		{Rule{Name: "r", Limit: 50}, 50, Refuse, "refuse: 50 of 50 sessions held, rule r"},
		{Rule{Name: "r", Limit: 50}, 51, Refuse, "refuse: 51 of 50 sessions held, rule r"},
		{Rule{Name: "r", Limit: 50, DryRun: true}, 49, Grant, "grant (dry run): 49 of 50 sessions held, rule r"},
		{Rule{Name: "r", Limit: 50, DryRun: true}, 50, GrantOverLimit, "grant over limit (dry run): 50 of 50 sessions held, rule r"},
		{Rule{Name: "r", Limit: Unlimited}, 1 << 30, Grant, "grant: 1073741824 of unlimited sessions held, rule r"},
		{Rule{Name: "r", Limit: Unlimited, DryRun: true}, 0, Grant, "grant (dry run): 0 of unlimited sessions held, rule r"},
		{Rule{Name: "r", Limit: 2, Unknown: "rule a needs groups"}, 2, Refuse, "refuse: 2 of 2 sessions held, rule r; rule a needs groups"},
	} {
		d := decide(tc.rule, tc.current)
		if d.Action != tc.action || d.String() != tc.text {
			t.Errorf("%+v at %d: %v %q, want %v %q", tc.rule, tc.current, d.Action, d, tc.action, tc.text)
		}
		if d.Allowed() == (tc.action == Refuse) || d.OverLimit() == (tc.action == Grant) {
			t.Errorf("%v: allowed %v, over limit %v", d, d.Allowed(), d.OverLimit())
		}
	}
	var nobody Decision
	if nobody.Allowed() || nobody.String() != "action(0): 0 of 0 sessions held, rule " {
		t.Errorf("the decision that nobody made: %v", nobody)
	}
}

// drawMatch draws conditions over a small world, so that rules overlap.
func drawMatch(t *rapid.T, label string) Match {
	var m Match
	if rapid.Bool().Draw(t, label+" has sid") {
		m.SID = SID(rapid.SampledFrom([]string{"S-1-5-1", "S-1-5-2"}).Draw(t, label+" sid"))
	}
	if rapid.Bool().Draw(t, label+" has group") {
		m.Group = SID(rapid.SampledFrom([]string{"S-1-5-8", "S-1-5-9"}).Draw(t, label+" group"))
	}
	if rapid.Bool().Draw(t, label+" has account") {
		m.Account = MustPattern(rapid.SampledFrom([]string{`LAB\a*`, `lab\*b`, `*\ab`, `*`, `LAB\??`}).Draw(t, label+" account"))
	}
	for _, p := range rapid.SliceOfN(rapid.SampledFrom([]string{"10.0.0.0/8", "10.1.0.0/16", "10.1.2.3/32", "2001:db8::/32", "0.0.0.0/0"}), 0, 3).Draw(t, label+" clients") {
		m.Clients = append(m.Clients, netip.MustParsePrefix(p))
	}
	if rapid.Bool().Draw(t, label+" has backend") {
		m.Backend = rapid.SampledFrom([]string{"dc1", "dc2"}).Draw(t, label+" backend")
	}
	return m
}

func drawSubject(t *rapid.T) Subject {
	s := Subject{
		SID:     rapid.SampledFrom([]string{"", "S-1-5-1", "S-1-5-2"}).Draw(t, "sid"),
		Groups:  rapid.SampledFrom([][]string{nil, {"S-1-5-8"}, {"S-1-5-7", "S-1-5-9"}}).Draw(t, "groups"),
		Account: named(rapid.SampledFrom([]string{"", `LAB\A`, `lab\ab`, `X\AB`, `LAB\ab@`}).Draw(t, "account")),
		Backend: rapid.SampledFrom([]string{"dc1", "dc2"}).Draw(t, "backend"),
	}
	if a := rapid.SampledFrom([]string{"", "10.1.2.3", "10.9.9.9", "::ffff:10.1.2.3", "2001:db8::1", "192.0.2.1"}).Draw(t, "client"); a != "" {
		s.Client = netip.MustParseAddr(a)
	}
	return s
}

// holds is the meaning of a Match, written as plainly as possible.
func holds(m Match, s Subject) bool {
	client := len(m.Clients) == 0
	for _, p := range m.Clients {
		client = client || p.Contains(s.Client.Unmap())
	}
	return client &&
		(m.SID == "" || string(m.SID) == s.SID) &&
		(m.Group == "" || slices.Contains(s.Groups, string(m.Group))) &&
		(m.Account.IsZero() || s.Account.User != "" && reference(m.Account.String()).MatchString(s.Account.Domain+`\`+s.Account.User)) &&
		(m.Backend == "" || m.Backend == s.Backend)
}

func TestFirstMatchingRuleDecides(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var rules Ruleset
		for i := range rapid.IntRange(0, 6).Draw(t, "rules") {
			rules.Rules = append(rules.Rules, RuleConfig{Name: fmt.Sprint(i), Limit: Limit(i), Match: drawMatch(t, fmt.Sprint("rule ", i))})
		}
		s, want, unknown := drawSubject(t), DefaultRule, ""
		for _, r := range rules.Rules {
			if holds(r.Match, s) {
				want = r.Name
				break
			}
			if unknown == "" && mightHold(r.Match, s) {
				unknown = "rule " + r.Name + " needs "
			}
		}
		got := New(rules).Match(s)
		if got.Name != want || !strings.HasPrefix(got.Unknown, unknown) || (got.Unknown == "") != (unknown == "") {
			t.Fatalf("%+v: rule %s (%s), want %s (%s)", s, got.Name, got.Unknown, want, unknown)
		}
	})
}

// mightHold reports whether m would hold if everything that is not known of s
// were as m wants it.
func mightHold(m Match, s Subject) bool {
	if s.SID == "" {
		m.SID = ""
	}
	if len(s.Groups) == 0 {
		m.Group = ""
	}
	if s.Account.User == "" {
		m.Account = Pattern{}
	}
	return holds(m, s)
}

func TestDecisionSaysWhatWouldHaveToBeKnown(t *testing.T) {
	rules := New(Ruleset{Default: DefaultLimits{Limit: 9}, Rules: []RuleConfig{
		{Name: "elsewhere", Match: Match{SID: "S-1-5-21-1", Backend: "dc2"}},
		{Name: "watched", Match: Match{SID: "S-1-5-21-1"}, Limit: 1},
		{Name: "team", Match: Match{Group: "S-1-5-21-9"}, Limit: 2},
		{Name: "services", Match: Match{Account: MustPattern(`LAB\svc-*`)}, Limit: 3},
	}})
	for _, tc := range []struct {
		subject Subject
		want    string
	}{
		{Subject{}, "grant: 0 of 9 sessions held, rule default; rule watched needs a SID"},
		{Subject{Account: named(`LAB\svc-1`)}, "grant: 0 of 3 sessions held, rule services; rule watched needs a SID"},
		{Subject{SID: "S-1-5-21-1"}, "grant: 0 of 1 sessions held, rule watched"},
		{Subject{SID: "S-1-5-21-2"}, "grant: 0 of 9 sessions held, rule default; rule team needs groups"},
		{Subject{SID: "S-1-5-21-2", Groups: []string{"S-1-5-21-9"}}, "grant: 0 of 2 sessions held, rule team"},
		{Subject{SID: "S-1-5-21-2", Groups: []string{"S-1-5-21-8"}}, "grant: 0 of 9 sessions held, rule default; rule services needs an account"},
		{Subject{SID: "S-1-5-21-2", Groups: []string{"S-1-5-21-8"}, Account: named(`LAB\a`)}, "grant: 0 of 9 sessions held, rule default"},
	} {
		tc.subject.Backend = "dc1"
		if got := decide(rules.Match(tc.subject), 0).String(); got != tc.want {
			t.Errorf("%+v: %s, want %s", tc.subject, got, tc.want)
		}
	}
}

func TestRuleThatIsCalledShadowedNeverDecides(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		first, second, s := drawMatch(t, "first"), drawMatch(t, "second"), drawSubject(t)
		rules := New(Ruleset{Rules: []RuleConfig{{Name: "first", Match: first}, {Name: "second", Match: second}}})
		if rules.rules[0].covers(&rules.rules[1]) && rules.Match(s).Name == "second" {
			t.Fatalf("first %v, second %v: second decides for %+v", first, second, s)
		}
	})
}

// hundredRules has every kind of condition; none matches benchSubject.
func hundredRules() *Policy {
	var rules Ruleset
	for i := range 100 {
		m := Match{Account: MustPattern(fmt.Sprintf(`LAB\svc-%d-*`, i))}
		switch i % 4 {
		case 1:
			m = Match{SID: SID(fmt.Sprintf("S-1-5-21-1-2-3-%d", i))}
		case 2:
			m = Match{Account: MustPattern(fmt.Sprintf(`*-%d`, i) + "@x")}
		case 3:
			m = Match{Clients: []netip.Prefix{netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 1, byte(i), 0}), 24), netip.MustParsePrefix("192.0.2.0/24")}}
		}
		rules.Rules = append(rules.Rules, RuleConfig{Name: fmt.Sprint("rule", i), Match: m, Limit: Limit(i)})
	}
	return New(rules)
}

var benchSubject = Subject{SID: "S-1-5-21-1-2-3-1105", Account: named(`LAB\svc-mail-archive-01`), Client: netip.MustParseAddr("10.200.1.9"), Backend: "dc1"}

func TestMatchDoesNotAllocate(t *testing.T) {
	rules := hundredRules()
	for name, s := range map[string]Subject{
		"ASCII":  benchSubject,
		"IPv6":   {Account: Name{Domain: "LAB", DNSDomain: "lab.test", User: strings.Repeat("a", 300), UPN: "a@b"}, Client: netip.MustParseAddr("fe80::1")},
		"mapped": {Account: Name{Domain: "LAB", User: "a"}, Client: netip.MustParseAddr("::ffff:10.1.1.1")},
	} {
		if n := testing.AllocsPerRun(100, func() { _ = decide(rules.Match(s), 50) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkMatch100Rules(b *testing.B) {
	rules := hundredRules()
	if got := rules.Match(benchSubject).Name; got != DefaultRule {
		b.Fatalf("rule %s matches, the benchmark wants none to", got)
	}
	b.ReportAllocs()
	for b.Loop() {
		rules.Match(benchSubject)
	}
}

func BenchmarkMatchThousandNetworks(b *testing.B) {
	m := Match{}
	for i := range 1000 {
		m.Clients = append(m.Clients, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i / 250), byte(i % 250), 0}), 25))
	}
	rules := New(Ruleset{Rules: []RuleConfig{{Name: "a", Match: m}}})
	b.ReportAllocs()
	for b.Loop() {
		rules.Match(benchSubject)
	}
}
