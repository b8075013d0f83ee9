package policy

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/nspiproxy/nspiproxy/internal/fold"
)

// named reads the usual ways to write an account: DOMAIN\user, user@domain, user.
func named(s string) Name {
	if domain, user, ok := strings.Cut(s, `\`); ok {
		return Name{Domain: domain, User: user}
	}
	return Name{User: s}
}

func TestPatternMatchesTheWholeAccountInAnyCase(t *testing.T) {
	for _, tc := range []struct {
		pattern, account string
		want             bool
	}{
		{`LAB\svc`, `LAB\svc`, true},
		{`LAB\svc`, `lab\SVC`, true},
		{`LAB\svc`, `LAB\svc1`, false},
		{`LAB\svc`, `XLAB\svc`, false},
		{`LAB\svc-*`, `LAB\svc-`, true},
		{`LAB\svc-*`, `LAB\svc-mig`, true},
		{`LAB\svc-*`, `LAB\svc`, false},
		{`*\svc-*`, `ANY\svc-mig`, true},
		{`*\svc-*`, `svc-mig`, true}, // some clients leave the domain empty
		{`\svc-*`, `svc-mig`, true},
		{`\svc-*`, `LAB\svc-mig`, false},
		{`LAB\svc-*`, `svc-mig`, false},
		{`*\svc-*`, `svc-mig@lab.example`, true},
		{`*svc-mig*`, `svc-mig@lab.example`, true},
		{`*svc-mig*`, `svc-mig`, true},
		{`*svc-mig*`, `LAB\svc-mig`, true},
		{`LAB\*-mig`, `LAB\svc-mig-mig`, true},
		{`LAB\*-mig`, `LAB\svc-mig-`, false},
		{`LAB\?`, `LAB\`, false},
		{`LAB\?`, `LAB\x`, true},
		{`LAB\?`, `LAB\ß`, false},
		{`LAB\?`, `LAB\xy`, false},
		{`LAB\*?`, `LAB\日本`, true},
		{`LAB\??`, `LAB\日本`, true},
		{`LAB\???`, `LAB\日本`, false},
		{`LAB\*?本`, `LAB\日日本`, true},
		{`LAB\müller`, `LAB\MÜLLER`, true},
		{`LAB\σας`, `LAB\ΣΑΣ`, true},
		{`LAB\kelvin`, "LAB\\\u212Aelvin", true}, // KELVIN SIGN folds to k
		{`LAB\straße`, `LAB\STRASSE`, true},
		{`*\*$`, `LAB\PC1$`, true}, // accounts of computers
		{`*\*$`, `LAB\pc$1`, false},
		{`*@lab.example`, `svc@LAB.example`, true},
		{`*`, `anything`, true},
		{`*\**`, `LAB\x`, true},
		{`LAB\a*b*c`, `LAB\aXbXbXc`, true},
		{`LAB\a*b*c`, `LAB\aXcXb`, false},
		{`LAB\*ab`, `LAB\aab`, true},
		{`LAB\*a?b`, `LAB\aaaab`, true},
		{`LAB\x`, "LAB\\\xff", false},
		{"LAB\\\uFFFD", "LAB\\\xff", true}, // what is no UTF-8 is U+FFFD
	} {
		if got := MustPattern(tc.pattern).Match(named(tc.account)); got != tc.want {
			t.Errorf("%q matches %q: %v, want %v", tc.pattern, tc.account, got, tc.want)
		}
	}
}

func TestPatternThatWouldMatchNobodyIsRefused(t *testing.T) {
	for pattern, want := range map[string]string{
		``:                                     `expected a pattern that is not empty`,
		`svc-*`:                                `expected DOMAIN\user, such as '*\svc-*' for that name in any domain`,
		`?x`:                                   `expected DOMAIN\user, such as '*\?x' for that name in any domain`,
		"A\\\n":                                `expected a pattern of printable characters`,
		"A\\\x1b":                              `expected a pattern of printable characters`,
		"A\\\u202E":                            `expected a pattern of printable characters`, // turns the direction of what follows
		"A\\\xff":                              `expected a pattern of printable characters`,
		`A\` + strings.Repeat("a", MaxPattern): `expected a pattern of at most 256 bytes`,
	} {
		if _, err := ParsePattern(pattern); err == nil || err.Error() != want {
			t.Errorf("%.20q: %v, want %s", pattern, err, want)
		}
	}
}

func TestZeroPatternMatchesNothing(t *testing.T) {
	var p Pattern
	if p.Match(Name{}) || p.Match(named(`LAB\x`)) || !p.IsZero() {
		t.Error("the zero pattern matched")
	}
}

// reference is the same pattern as a regular expression, which is linear too.
func reference(pattern string) *regexp.Regexp {
	quoted := regexp.QuoteMeta(pattern)
	quoted = strings.ReplaceAll(quoted, `\*`, `.*`)
	quoted = strings.ReplaceAll(quoted, `\?`, `.`)
	return regexp.MustCompile(`(?is)^` + quoted + `$`)
}

func TestGlobAgreesWithRegexp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pattern := rapid.StringOfN(rapid.RuneFrom([]rune(`aAbB**??日Kſ`)), 0, 12, -1).Draw(t, "pattern")
		account := rapid.StringOfN(rapid.RuneFrom([]rune(`aAbB日kKsS`)), 0, 16, -1).Draw(t, "account")
		got, want := newGlob(pattern).match(fold.Append(nil, account)), reference(pattern).MatchString(account)
		if got != want {
			t.Fatalf("%q matches %q: %v, regexp says %v", pattern, account, got, want)
		}
	})
}

func TestCoveringPatternMatchesWhateverTheOtherMatches(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) Pattern {
			part := func(of string) string {
				return rapid.StringOfN(rapid.RuneFrom([]rune(`ab*?`)), 0, 4, -1).Draw(t, name+of)
			}
			switch rapid.IntRange(0, 2).Draw(t, name+" form") {
			case 0:
				return MustPattern(part(" domain") + `\` + part(" user"))
			case 1:
				return MustPattern(part(" user") + "@" + part(" domain"))
			}
			return MustPattern("*" + part(" user"))
		}
		wide, narrow := draw("wide"), draw("narrow")
		text := rapid.StringOfN(rapid.RuneFrom([]rune(`ab`)), 0, 4, -1)
		account := Name{Domain: text.Draw(t, "domain"), DNSDomain: text.Draw(t, "DNS domain"), User: text.Draw(t, "user")}
		if rapid.Bool().Draw(t, "has UPN") {
			account.UPN = text.Draw(t, "prefix") + "@" + text.Draw(t, "suffix")
		}
		if wide.covers(narrow) && narrow.Match(account) && !wide.Match(account) {
			t.Fatalf("%v is said to cover %v, but does not match %+v", wide, narrow, account)
		}
		if !narrow.covers(narrow) {
			t.Fatalf("%v does not cover itself", narrow)
		}
	})
}

func TestPatternCoversNarrowerOnes(t *testing.T) {
	for _, tc := range []struct {
		wide, narrow string
		want         bool
	}{
		{`*`, `LAB\*`, true},
		{`LAB\*`, `lab\svc-*`, true},
		{`LAB\svc-*`, `LAB\*`, false},
		{`LAB\?`, `LAB\*`, false},
		{`LAB\?`, `LAB\?`, true},
		{`LAB\a`, `LAB\?`, false},
		{`LAB\*-?`, `LAB\x-*-a`, true},
		{`*\a*`, `*ab`, false},
		{`*\*a`, `*ba`, true},
		{`LAB\*`, `*a`, false},
		{`*@lab.test`, `a*@lab.test`, true},
		{`*`, `*@lab.test`, false}, // it may match by the user principal name
	} {
		if got := MustPattern(tc.wide).covers(MustPattern(tc.narrow)); got != tc.want {
			t.Errorf("%s covers %s: %v, want %v", tc.wide, tc.narrow, got, tc.want)
		}
	}
}

// hostile pairs make a matcher that backtracks take exponential or quadratic
// time.
func hostilePairs(length int) map[string][2]string {
	as := strings.Repeat("a", length)
	return map[string][2]string{
		"stars":          {strings.Repeat("*a", (MaxPattern-2)/2) + "b", as},
		"one long piece": {"*" + strings.Repeat("a", MaxPattern-3) + "b", as},
		"question marks": {"*" + strings.Repeat("?", MaxPattern-3) + "b", as},
		"mixed":          {strings.Repeat("*?", (MaxPattern-2)/2) + "b", as},
	}
}

// TestHostilePatternsTakeLinearTime compares an account with one that is ten
// times as long. Quadratic time would be a factor of 100. On a busy machine a
// match can be interrupted for longer than it takes, so what counts is the best
// of many, and measuring goes on until both bests are undisturbed.
func TestHostilePatternsTakeLinearTime(t *testing.T) {
	const patience = 30 * time.Second
	once := func(p glob, account []byte) time.Duration {
		start := time.Now()
		if p.match(account) {
			t.Fatal("matched")
		}
		return time.Since(start)
	}
	for name, pair := range hostilePairs(4_000) {
		p := newGlob(pair[0])
		short, long := fold.Append(nil, pair[1]), fold.Append(nil, hostilePairs(40_000)[name][1])
		a, b := once(p, short), once(p, long)
		for end := time.Now().Add(patience); b > 40*a+time.Millisecond; {
			if time.Now().After(end) {
				t.Errorf("%s: %v for 4,000 bytes, %v for 40,000", name, a, b)
				break
			}
			a, b = min(a, once(p, short)), min(b, once(p, long))
		}
	}
}

func BenchmarkHostilePattern(b *testing.B) {
	for name, pair := range hostilePairs(foldBuffer - 1) {
		b.Run(strings.ReplaceAll(name, " ", "-"), func(b *testing.B) {
			p := MustPattern(pair[0])
			b.ReportAllocs()
			for b.Loop() {
				p.Match(Name{User: pair[1]})
			}
		})
	}
}

// FuzzPattern holds patterns to what they say of parts: no text in one part of a
// name makes it match another part.
func FuzzPattern(f *testing.F) {
	f.Add(`LAB\svc-*`, "lab", `SVC-1`)
	f.Add(`LAB\svc-*`, `LAB\svc-x`, "alice")
	f.Add(`*@*?é*`, "b", `a@bÉ`)
	for _, pair := range hostilePairs(100) {
		f.Add("*"+pair[0][:200], "LAB", pair[1])
	}
	f.Fuzz(func(t *testing.T, pattern, domain, user string) {
		p, err := ParsePattern(pattern)
		if err != nil {
			return
		}
		if !p.covers(p) {
			t.Errorf("%q does not cover itself", pattern)
		}
		d, u, ok := strings.Cut(pattern, `\`)
		if !ok || user == "" {
			return
		}
		want := newGlob(d).match(fold.Append(nil, domain)) && newGlob(u).match(fold.Append(nil, user))
		if got := p.Match(Name{Domain: domain, User: user}); got != want {
			t.Errorf("%q matches %q and %q: %v", pattern, domain, user, got)
		}
	})
}

func TestSeparatorInAPartMatchesNoOtherPart(t *testing.T) {
	for _, tc := range []struct {
		pattern string
		name    Name
		want    bool
	}{
		{`LAB\svc-*`, Name{Domain: `LAB\svc-x`, User: "alice"}, false},
		{`LAB\svc-*`, Name{Domain: "", User: `LAB\svc-x`}, false},
		{`LAB\svc-*`, Name{Domain: "LAB", User: `svc-x\alice`}, true},
		{`*\alice`, Name{Domain: "LAB", User: `bob\alice`}, false},
		{`svc-*@lab.test`, Name{Domain: "OTHER", User: "svc-x@lab.test@other.test"}, false},
		{`svc-*@lab.test`, Name{Domain: "LAB", DNSDomain: "lab.test", User: "svc-x"}, true},
		{`svc-*@lab`, Name{Domain: "LAB", DNSDomain: "lab.test", User: "svc-x"}, true},
		{`lab.test\svc-*`, Name{Domain: "LAB", DNSDomain: "lab.test", User: "svc-x"}, true},
		{`mail.*@corp.example`, Name{Domain: "LAB", DNSDomain: "lab.test", User: "svc-x", UPN: "mail.x@corp.example"}, true},
		{`mail.*@corp.example`, Name{Domain: "LAB", DNSDomain: "lab.test", User: "mail.x@corp.example"}, true},
		{`*@*`, Name{Domain: "LAB", User: "svc-x"}, true},
		{`*@`, Name{User: "svc-x"}, true},
		{`LAB\svc`, Name{Domain: "lab ", User: " SVC"}, true},
	} {
		if got := MustPattern(tc.pattern).Match(tc.name); got != tc.want {
			t.Errorf("%q matches %+v: %v, want %v", tc.pattern, tc.name, got, tc.want)
		}
	}
}
