package fold

import (
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// expansions are letters that are compared as two, and letters with a stroke, which
// Unicode does not take apart and Active Directory compares without it.
var expansions = map[rune]string{
	'ß': "SS", 'ẞ': "SS", 'æ': "AE", 'Æ': "AE", 'œ': "OE", 'Œ': "OE", 'þ': "TH", 'Þ': "TH",
	'ø': "O", 'Ø': "O", 'đ': "D", 'Đ': "D", 'ð': "D", 'Ð': "D", 'ħ': "H", 'Ħ': "H", 'ł': "L", 'Ł': "L", 'ŧ': "T", 'Ŧ': "T", 'ƀ': "B", 'Ƀ': "B",
}

// String returns the folded form of s, which is s itself where it is folded.
func String(s string) string {
	if isFolded(s) {
		return s
	}
	return string(Append(make([]byte, 0, len(s)), s))
}

// isFolded reports whether s is ASCII in the folded form.
func isFolded(s string) bool {
	space := true // none may stand in front, at the end, or behind another
	for i := range len(s) {
		c := s[i]
		if c >= utf8.RuneSelf || c < ' ' || c == 0x7f || 'a' <= c && c <= 'z' || c == ' ' && space {
			return false
		}
		space = c == ' '
	}
	return s == "" || !space
}

// Append appends the folded form of s to dst. It is always valid UTF-8: what is
// not becomes U+FFFD. ASCII is folded without an allocation.
func Append(dst []byte, s string) []byte {
	at := start
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return appendAll(dst, at, s[i:])
		}
		dst, at = appendRune(dst, at, rune(s[i]))
	}
	return dst
}

// appendAll is Append for text that is not ASCII.
func appendAll(dst []byte, at position, s string) []byte {
	for _, r := range norm.NFKD.String(s) {
		dst, at = appendRune(dst, at, r)
	}
	return dst
}

// position is where in the folded form the next rune goes.
type position uint8

const (
	start  position = iota // nothing has been written
	within                 // behind something
	spaced                 // behind something, and a space waits for what comes next
)

func appendRune(dst []byte, at position, r rune) ([]byte, position) {
	switch {
	case unicode.IsSpace(r):
		if at == within {
			at = spaced
		}
		return dst, at
	case weightless(r):
		return dst, at
	case at == spaced:
		dst = append(dst, ' ')
	}
	return appendLetter(dst, r), within
}

// weightless reports whether a character counts for nothing in a comparison: marks
// and characters without a width, controls, and what is no character in Unicode,
// which has no weight to be compared by.
func weightless(r rune) bool {
	switch {
	case unicode.IsSpace(r):
		return false
	case r < utf8.RuneSelf:
		return r < ' ' || r == 0x7f
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cc, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point):
		return true
	}
	return !unicode.In(r, unicode.L, unicode.M, unicode.N, unicode.P, unicode.S, unicode.Z, unicode.Co)
}

func appendLetter(dst []byte, r rune) []byte {
	if r < utf8.RuneSelf {
		if 'a' <= r && r <= 'z' {
			r -= 'a' - 'A'
		}
		return append(dst, byte(r))
	}
	if two, ok := expansions[r]; ok {
		return append(dst, two...)
	}
	return utf8.AppendRune(dst, least(kana(r)))
}

// Katakana that has a Hiragana letter, and how far that is away.
const (
	firstKatakana = 0x30a1
	lastKatakana  = 0x30f6
	toHiragana    = 0x60
)

// kana returns the Hiragana letter of a Katakana one.
func kana(r rune) rune {
	if firstKatakana <= r && r <= lastKatakana {
		return r - toHiragana
	}
	return r
}

// least returns the smallest rune of r's folding orbit, which has four at most.
func least(r rune) rune {
	smallest := r
	for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
		smallest = min(smallest, next)
	}
	return smallest
}
