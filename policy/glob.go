package policy

import (
	"bytes"
	"unicode/utf8"

	"github.com/nspiproxy/nspiproxy/internal/fold"
)

// glob matches one part of a name: `*` stands for any number of characters, `?`
// for exactly one, everything else for itself, as package fold compares. It has
// no escape, because Windows allows neither character in an account name. It is
// folded, with the wildcards as anySequence and anyOne.
type glob string

// The wildcards inside a glob: bytes that valid UTF-8, and so a folded name,
// cannot contain.
const (
	anySequence = 0xFF
	anyOne      = 0xFE
)

// newGlob folds s and encodes its wildcards, each run of stars as one.
func newGlob(s string) glob {
	folded := make([]byte, 0, len(s))
	for _, c := range fold.Append(nil, s) {
		switch {
		case c == '?':
			folded = append(folded, anyOne)
		case c != '*':
			folded = append(folded, c)
		case len(folded) == 0 || folded[len(folded)-1] != anySequence:
			folded = append(folded, anySequence)
		}
	}
	return glob(folded)
}

// match reports whether g matches the whole of name, which is folded.
//
// On a mismatch only the last star grows by a character; what earlier stars
// took never has to change, because the leftmost place for what stands between
// two stars is always good enough. So the cost is at most len(name) times
// the longest piece between two stars, which MaxPattern bounds: linear in the
// name, whatever the pattern.
func (g glob) match(name []byte) bool {
	pat := string(g)
	pi, ai := 0, 0
	star, restart := -1, 0 // pattern after the last star, name where its piece was last tried
	for ai < len(name) {
		if pi < len(pat) && pat[pi] == anySequence {
			pi++
			if pi == len(pat) {
				return true
			}
			star, restart = pi, ai
			continue
		}
		if n := matchOne(pat, pi, name[ai:]); n > 0 {
			pi, ai = pi+1, ai+n
			continue
		}
		if star < 0 {
			return false
		}
		restart = nextCandidate(name, restart+1, pat[star])
		if restart < 0 {
			return false
		}
		pi, ai = star, restart
	}
	return pi == len(pat) || (pi == len(pat)-1 && pat[pi] == anySequence)
}

// matchOne returns how many bytes of name the element pat[pi] takes, or 0.
// name is not empty.
func matchOne(pat string, pi int, name []byte) int {
	if pi >= len(pat) {
		return 0
	}
	switch {
	case pat[pi] == name[0]:
		return 1
	case pat[pi] != anyOne || name[0] == anySequence:
		return 0
	case name[0] < utf8.RuneSelf:
		return 1
	}
	_, n := utf8.DecodeRune(name)
	return n
}

// nextCandidate returns the first place at or after from where the element
// first could match, or -1.
func nextCandidate(name []byte, from int, first byte) int {
	if from > len(name) {
		return -1
	}
	if first != anyOne {
		i := bytes.IndexByte(name[from:], first)
		if i < 0 {
			return -1
		}
		return from + i
	}
	for from < len(name) && !utf8.RuneStart(name[from]) {
		from++
	}
	return from
}

// covers reports that g matches whatever other matches. It may answer false where
// that is hard to see, never true where it is not so: it matches g against the
// text of other, where a star of other can only be taken by a star of g.
func (g glob) covers(other glob) bool { return g.match([]byte(other)) }
