package directory

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxName is the greatest length of a part of a name in characters: that of
// userPrincipalName in the schema (MS-ADA3 2.349), whose values are the longest.
const maxName = 1024

// name is an account name in one of the three spellings.
type name struct {
	domain string // NetBIOS or DNS name; empty: the domain of the server that is asked
	user   string // sAMAccountName; with upn the whole user@suffix
	upn    bool
}

// parseName reads DOMAIN\user, user@suffix or user; `\user` and `\user@suffix`
// are names with an empty domain, as NTLM clients send them. A name that no
// account can have is ErrNotFound, without a question to the directory.
func parseName(account string) (name, error) {
	domain, user, qualified := strings.Cut(account, `\`)
	if !qualified {
		domain, user = "", account
	}
	if !plausible(user) || (domain != "" && !plausible(domain)) {
		return name{}, fmt.Errorf("%w: no account can have that name", ErrNotFound)
	}
	return name{domain: domain, user: user, upn: domain == "" && strings.Contains(user, "@")}, nil
}

// plausible reports whether s can be a name. It has U+FFFD where the client sent
// something that is no character.
func plausible(s string) bool {
	if s == "" || !utf8.ValidString(s) || utf8.RuneCountInString(s) > maxName {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool { return r == utf8.RuneError || unicode.IsControl(r) })
}

// key is the same for spellings that differ in case only. That it misses some
// (ſ and s) costs a second question, whose answer is the same SID.
func (n name) key() string { return strings.ToLower(n.domain + `\` + n.user) }

// split returns the two parts of a UPN. The suffix is what follows the last @.
func (n name) split() (user, suffix string) {
	at := strings.LastIndexByte(n.user, '@')
	return n.user[:at], n.user[at+1:]
}
