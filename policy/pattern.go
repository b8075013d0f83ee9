package policy

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Pattern matches account names, part by part: what a part of a name holds, a
// separator among them, never matches another part.
//
//	DOMAIN\user   DOMAIN matches the NetBIOS or the DNS name of the account's domain, user its name
//	user@domain   the same the other way round, or the user principal name
//	*user         a name in any domain
//
// `*` stands for any number of characters, `?` for exactly one, everything else
// for itself as domain controllers compare (see package fold). The zero Pattern
// matches nothing.
type Pattern struct {
	text   string // as written
	form   patternForm
	domain glob // not with patternUser
	user   glob
}

type patternForm uint8

const (
	patternNone patternForm = iota
	patternDomainUser
	patternUserAtDomain
	patternUser
)

// MaxPattern is the greatest length of a pattern in bytes: longer than any
// NetBIOS account (36 characters) or usual user principal name. With it the cost
// of a match is bounded by a constant per byte of the account.
const MaxPattern = 256

// ParsePattern parses an account pattern. It must have a domain part
// (`LAB\svc-*`, `*\svc-*`, `svc-*@lab.example`) or begin with a star: a bare name
// would look as if it were of one domain.
func ParsePattern(s string) (Pattern, error) {
	switch {
	case s == "":
		return Pattern{}, expectation("a pattern that is not empty")
	case len(s) > MaxPattern:
		return Pattern{}, expectedf("a pattern of at most %d bytes", MaxPattern)
	case !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }):
		return Pattern{}, expectation("a pattern of printable characters")
	case strings.Contains(s, "=") && !strings.ContainsAny(s, `\@`):
		return Pattern{}, expectation(`DOMAIN\user, not a distinguished name`)
	case strings.Count(s, "/") == 1 && !strings.ContainsAny(s, `\@`):
		return Pattern{}, expectedf(`a backslash: '%s'`, strings.Replace(s, "/", `\`, 1))
	case s[0] != '*' && !strings.ContainsAny(s, `\@`):
		return Pattern{}, expectedf(`DOMAIN\user, such as '*\%s' for that name in any domain`, s)
	}
	p := Pattern{text: s, form: patternUser, user: newGlob(s)}
	if domain, user, ok := strings.Cut(s, `\`); ok {
		p.form, p.domain, p.user = patternDomainUser, newGlob(domain), newGlob(user)
	} else if at := strings.LastIndexByte(s, '@'); at >= 0 {
		p.form, p.domain, p.user = patternUserAtDomain, newGlob(s[at+1:]), newGlob(s[:at])
	}
	return p, nil
}

// MustPattern is [ParsePattern] for constants. It panics on an error.
func MustPattern(s string) Pattern {
	p, err := ParsePattern(s)
	if err != nil {
		panic("policy: pattern " + s + ": " + err.Error())
	}
	return p
}

// IsZero reports whether p is the zero Pattern, which stands for no condition.
func (p Pattern) IsZero() bool { return p.form == patternNone }

// String returns the pattern as written.
func (p Pattern) String() string { return p.text }

// Match reports whether p matches an account.
func (p Pattern) Match(a Name) bool {
	var buf [foldBuffer]byte
	folded := a.folded(buf[:0])
	return p.match(&folded)
}

func (p *Pattern) match(a *foldedName) bool {
	switch p.form {
	case patternUser:
		return p.user.match(a.user)
	case patternDomainUser:
		return p.matchDomain(a) && p.user.match(a.user)
	case patternUserAtDomain:
		return p.matchDomain(a) && p.user.match(a.user) || a.suffix != nil && p.domain.match(a.suffix) && p.user.match(a.prefix)
	}
	return false
}

func (p *Pattern) matchDomain(a *foldedName) bool {
	return p.domain.match(a.domain) || len(a.dnsDomain) > 0 && p.domain.match(a.dnsDomain)
}

// covers reports that p matches whatever q matches. It may answer false where
// that is hard to see, never true where it is not so.
func (p Pattern) covers(q Pattern) bool {
	switch {
	case p.IsZero():
		return true
	case q.IsZero() || !p.user.covers(q.user):
		return false
	case p.form == q.form:
		return p.form == patternUser || p.domain.covers(q.domain)
	case q.form == patternUserAtDomain:
		return false // it may match by the user principal name
	case p.form == patternUser:
		return true
	}
	return p.domain == newGlob("*")
}
