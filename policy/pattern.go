package policy

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Pattern matches account names: `*` stands for any number of characters, `?`
// for exactly one, everything else for itself in any case. It matches the whole
// of `DOMAIN\user` or `user@domain`; a name without a domain is `\user`, so that
// `*\user` matches it too. There is no escape, because Windows allows neither character
// in an account name. The zero Pattern matches nothing.
type Pattern struct {
	text   string // as written
	folded string // in the form of appendFold, wildcards as anySequence and anyOne
}

// MaxPattern is the greatest length of a pattern in bytes: longer than any
// NetBIOS account (36 characters) or usual user principal name. With it the cost
// of a match is bounded by a constant per byte of the account.
const MaxPattern = 256

// The wildcards inside Pattern.folded: bytes that valid UTF-8, and so a folded
// account, cannot contain.
const (
	anySequence = 0xFF
	anyOne      = 0xFE
)

// ParsePattern parses an account pattern. It must have a domain part
// (`LAB\svc-*`, `*\svc-*`, `svc-*@lab.example`) or begin with a star that can
// stand for one: a bare name would silently match nobody.
func ParsePattern(s string) (Pattern, error) {
	switch {
	case s == "":
		return Pattern{}, expectation("a pattern that is not empty")
	case len(s) > MaxPattern:
		return Pattern{}, expectedf("a pattern of at most %d bytes", MaxPattern)
	case !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }):
		return Pattern{}, expectation("a pattern of printable characters")
	case s[0] != '*' && !strings.ContainsAny(s, `\@`):
		return Pattern{}, expectedf(`DOMAIN\user, such as '*\%s' for that name in any domain`, s)
	}
	return Pattern{text: s, folded: compilePattern(s)}, nil
}

// MustPattern is [ParsePattern] for constants. It panics on an error.
func MustPattern(s string) Pattern {
	p, err := ParsePattern(s)
	if err != nil {
		panic("policy: pattern " + s + ": " + err.Error())
	}
	return p
}

// compilePattern folds s and encodes its wildcards, each run of stars as one.
func compilePattern(s string) string {
	folded := make([]byte, 0, len(s))
	for _, c := range appendFold(nil, s) {
		switch {
		case c == '?':
			folded = append(folded, anyOne)
		case c != '*':
			folded = append(folded, c)
		case len(folded) == 0 || folded[len(folded)-1] != anySequence:
			folded = append(folded, anySequence)
		}
	}
	return string(folded)
}

// IsZero reports whether p is the zero Pattern, which stands for no condition.
func (p Pattern) IsZero() bool { return p.folded == "" }

// String returns the pattern as written.
func (p Pattern) String() string { return p.text }

// Match reports whether p matches the whole of account, in any case.
func (p Pattern) Match(account string) bool {
	var buf [foldBuffer]byte
	return !p.IsZero() && p.matchFolded(appendAccount(buf[:0], account))
}

// matchFolded reports whether p matches the whole of account, which is in the
// form of appendAccount.
//
// On a mismatch only the last star grows by a character; what earlier stars
// took never has to change, because the leftmost place for what stands between
// two stars is always good enough. So the cost is at most len(account) times
// the longest piece between two stars, which MaxPattern bounds: linear in the
// account, whatever the pattern.
func (p Pattern) matchFolded(account []byte) bool {
	pat := p.folded
	pi, ai := 0, 0
	star, restart := -1, 0 // pattern after the last star, account where its piece was last tried
	for ai < len(account) {
		if pi < len(pat) && pat[pi] == anySequence {
			pi++
			if pi == len(pat) {
				return true
			}
			star, restart = pi, ai
			continue
		}
		if n := matchOne(pat, pi, account[ai:]); n > 0 {
			pi, ai = pi+1, ai+n
			continue
		}
		if star < 0 {
			return false
		}
		restart = nextCandidate(account, restart+1, pat[star])
		if restart < 0 {
			return false
		}
		pi, ai = star, restart
	}
	return pi == len(pat) || (pi == len(pat)-1 && pat[pi] == anySequence)
}

// matchOne returns how many bytes of account the element pat[pi] takes, or 0.
// account is not empty.
func matchOne(pat string, pi int, account []byte) int {
	if pi >= len(pat) {
		return 0
	}
	switch {
	case pat[pi] == account[0]:
		return 1
	case pat[pi] != anyOne || account[0] == anySequence:
		return 0
	case account[0] < utf8.RuneSelf:
		return 1
	}
	_, n := utf8.DecodeRune(account)
	return n
}

// nextCandidate returns the first place at or after from where the element
// first could match, or -1.
func nextCandidate(account []byte, from int, first byte) int {
	if from > len(account) {
		return -1
	}
	if first != anyOne {
		i := bytes.IndexByte(account[from:], first)
		if i < 0 {
			return -1
		}
		return from + i
	}
	for from < len(account) && !utf8.RuneStart(account[from]) {
		from++
	}
	return from
}

// covers reports that p matches whatever q matches. It may answer false where
// that is hard to see, never true where it is not so: it matches p against the
// text of q, where a star of q can only be taken by a star of p.
func (p Pattern) covers(q Pattern) bool {
	if p.IsZero() {
		return true
	}
	return !q.IsZero() && p.matchFolded([]byte(q.folded))
}
