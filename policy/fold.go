package policy

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// foldBuffer is the room that Match keeps on its stack for a folded account
// name, in bytes. NetBIOS names give at most 36 characters, a DNS domain and a
// user name of the schema's longest 511; four times the usual DNS form is
// ample. Longer names (the NTLM decoder allows some 3 KiB) cost one allocation.
const foldBuffer = 512

// appendAccount appends an account in the form in which patterns see it:
// folded, and a name without a domain as `\user`. Some clients leave the domain
// empty and mean the server's own (handbook 9.2). No account stays none.
func appendAccount(dst []byte, account string) []byte {
	if account != "" && !strings.ContainsAny(account, `\@`) {
		dst = append(dst, '\\')
	}
	return appendFold(dst, account)
}

// appendFold appends s to dst in the form in which names are compared: Unicode
// simple folding (handbook 9.2: not ASCII only), each rune replaced by the
// smallest rune that folds to the same, invalid UTF-8 by U+FFFD. The result is
// always valid UTF-8.
func appendFold(dst []byte, s string) []byte {
	for _, r := range s {
		if r < utf8.RuneSelf {
			dst = append(dst, foldASCII(byte(r)))
			continue
		}
		dst = utf8.AppendRune(dst, foldRune(r))
	}
	return dst
}

// foldASCII returns upper case: of the runes that fold to the same letter, the
// capital ASCII one is the smallest.
func foldASCII(c byte) byte {
	if 'a' <= c && c <= 'z' {
		return c - ('a' - 'A')
	}
	return c
}

// foldRune returns the smallest rune of r's folding orbit. Orbits have at most
// four runes.
func foldRune(r rune) rune {
	smallest := r
	for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
		smallest = min(smallest, next)
	}
	return smallest
}
