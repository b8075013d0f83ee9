package policy

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// conditions checks whether there can be a user who meets the conditions of a rule.
// What no user can meet is an error; what is right only in a rare case is a warning.
func (v *validator) conditions(path string, m *Match) {
	v.sidOf(path+".sid", m.SID, "group", isAccountSID)
	v.sidOf(path+".group", m.Group, "sid", isGroupSID)
	v.pattern(path+".account", m.Account)
	if len(m.Assurance) == 0 || v.unread(path+".assurance") {
		return
	}
	has := func(list ...Assurance) bool {
		return slices.ContainsFunc(m.Assurance, func(a Assurance) bool { return slices.Contains(list, a) })
	}
	switch {
	case (m.SID != "" || m.Group != "") && !has(AssuranceVerified, AssuranceResolved):
		v.problem(path+".assurance", "a rule for a SID, and users whose SID is not known: it never matches", "verified, resolved or both, or no assurance")
	case !m.Account.IsZero() && !has(AssuranceVerified, AssuranceResolved, AssuranceClaimed):
		v.problem(path+".assurance", "a rule for an account, and users who have no name: it never matches", "claimed, resolved or verified, or no assurance")
	}
}

// sidOf reports a SID that is none of what the key is for.
func (v *validator) sidOf(path string, sid SID, other string, is func(SID) (bool, string)) {
	if sid == "" {
		return
	}
	ok, what := is(sid)
	switch {
	case ok:
	case what == other:
		v.problem(path, fmt.Sprintf("%s, which is no %s: the rule never matches", sid, map[string]string{"group": "user but a group", "sid": "group but a user"}[other]), "the key "+other+" for it")
	default:
		v.problem(path, fmt.Sprintf("%s, %s: the rule never matches", sid, what), "the whole SID, such as S-1-5-21-1004336348-1177238915-682003330-1105")
	}
}

// The SIDs of accounts and groups of a domain are S-1-5-21, three numbers of the
// domain, and the relative identifier (MS-DTYP 2.4.2.4).
const (
	domainSIDPrefix = "S-1-5-21-"
	domainSIDParts  = 4 // behind the prefix
)

// relativeID returns the relative identifier of a SID in a domain. Why it has none is
// in what.
func relativeID(sid SID) (id uint64, what string) {
	rest, ok := strings.CutPrefix(string(sid), domainSIDPrefix)
	parts := strings.Split(rest, "-")
	switch {
	case !ok:
		return 0, "which is in no domain"
	case len(parts) == domainSIDParts-1:
		return 0, "a domain without the number of an account at its end"
	case len(parts) < domainSIDParts:
		return 0, "a SID that is cut off"
	case len(parts) > domainSIDParts:
		return 0, "a SID with too many numbers"
	}
	id, _ = parseDecimal(parts[domainSIDParts-1], 32)
	return id, ""
}

// wellKnownGroup reports whether a relative identifier is a group's in every domain
// (MS-DTYP 2.4.2.4), wellKnownUser whether it is a user's.
func wellKnownGroup(id uint64) bool { return 512 <= id && id <= 527 || id == 498 }
func wellKnownUser(id uint64) bool  { return 500 <= id && id <= 503 }

// isAccountSID reports whether sid can be of a user or a computer, and if not, why.
func isAccountSID(sid SID) (bool, string) {
	id, what := relativeID(sid)
	if what == "" && wellKnownGroup(id) {
		what = "group"
	}
	return what == "", what
}

// isGroupSID reports whether sid can be of a group that is known of a user. Groups
// outside of a domain are of the domain controller, or say how the user logged on
// (S-1-18-1).
func isGroupSID(sid SID) (bool, string) {
	if !strings.HasPrefix(string(sid), domainSIDPrefix) {
		if addedAtLogon(sid) {
			return false, "which each machine adds by itself, and neither a ticket nor the directory tells"
		}
		return true, ""
	}
	id, what := relativeID(sid)
	if what == "" && wellKnownUser(id) {
		what = "sid"
	}
	return what == "", what
}

// addedAtLogon reports whether sid is one that a machine puts into each token, such as
// Everyone (S-1-1-0) and Authenticated Users (S-1-5-11).
func addedAtLogon(sid SID) bool {
	s := string(sid)
	return strings.HasPrefix(s, "S-1-1-") || strings.HasPrefix(s, "S-1-2-") ||
		strings.HasPrefix(s, "S-1-5-") && strings.Count(s, "-") == 3
}

// maxAccountName is the greatest length of an account name (sAMAccountName) that
// Windows makes for a user, in characters: programs show it as the name before
// Windows 2000.
const maxAccountName = 20

// notInAccounts are the characters that no account name of Windows has (MS-SAMR
// 3.1.1.6), but for those that mean something in a pattern.
const notInAccounts = `"/[]:|<>+=;,`

// pattern reports an account pattern that matches no account, or hardly any.
func (v *validator) pattern(path string, p Pattern) {
	domain, user := p.parts()
	domain, user = strings.TrimSpace(domain), strings.TrimSpace(user) // as they are compared
	switch {
	case p.IsZero():
	case p.form == patternDomainUser && strings.HasPrefix(user, `\`):
		v.problem(path, singleQuoted(p.text)+", with two backslashes: the rule never matches",
			"one: "+singleQuoted(domain+`\`+strings.TrimLeft(user, `\`)))
	case p.form == patternDomainUser && strings.Contains(user, `\`):
		v.problem(path, singleQuoted(p.text)+", with a backslash in the name of the user: the rule never matches", `DOMAIN\user with one backslash`)
	case user == "":
		v.problem(path, singleQuoted(p.text)+", without a user: the rule never matches", singleQuoted(p.text[:len(p.text)-len(domain)]+domain)+" with the name of a user, or * for all of the domain")
	case domain == ".":
		v.problem(path, singleQuoted(p.text)+", an account of the client's machine: the rule never matches", singleQuoted(`DOMAIN\`+user)+", or "+singleQuoted(`*\`+user)+" for any domain")
	case p.form != patternUser && domain == "":
		v.warn(path, singleQuoted(p.text)+", without a domain: it matches only users whose domain is not known", `the domain, or * for any: `+singleQuoted(`*\`+user))
	case strings.ContainsAny(domain, notInAccounts+" "):
		v.warn(path, fmt.Sprintf("%s: no domain has a name with %q", singleQuoted(p.text), first(domain, notInAccounts+" ")), `the NetBIOS or DNS name of a domain`)
	case p.form == patternUser && strings.Contains(user, "/"), p.form == patternDomainUser && strings.Contains(user, "/"):
		v.warn(path, singleQuoted(p.text)+": no account has a name with a slash", `DOMAIN\user, with a backslash`)
	case strings.ContainsAny(user, notInAccounts):
		v.warn(path, fmt.Sprintf("%s: Windows makes no account with %q in its name", singleQuoted(p.text), first(user, notInAccounts)), "the account's name (sAMAccountName)")
	case p.form == patternDomainUser && strings.Contains(user, "@"):
		v.warn(path, singleQuoted(p.text)+", with two domains: it matches only user principal names whose suffix is no domain", singleQuoted(domain+`\`+user[:strings.LastIndexByte(user, '@')])+", or "+singleQuoted(user))
	case p.form == patternDomainUser && !strings.ContainsAny(user, "*?") && utf8.RuneCountInString(user) > maxAccountName && !strings.HasSuffix(user, "$"):
		v.warn(path, fmt.Sprintf("%s: Windows cuts account names of users after %d characters", singleQuoted(p.text), maxAccountName), "the account's name before Windows 2000 (sAMAccountName)")
	}
}

// escapable warns of a rule that is to restrict an account and misses one of its spellings:
// without a directory a user principal name whose suffix is no domain, svc@other of LAB\svc,
// is a user of its own (see docs/security.md).
func (v *validator) escapable(path string, r *RuleConfig) {
	p := r.Match.Account
	domain, user := p.parts()
	restricts := !r.Limit.IsUnlimited() && (v.cfg.Policy.Default.Limit.IsUnlimited() || r.Limit < v.cfg.Policy.Default.Limit)
	if p.IsZero() || !restricts || v.cfg.Identity.Directory.Configured() || strings.HasSuffix(user, "*") || strings.Contains(user, "@") || strings.HasSuffix(user, "$") {
		return
	}
	if slices.Equal(r.Match.Assurance, []Assurance{AssuranceVerified}) {
		return // tickets have the account's own name
	}
	with := map[patternForm]string{patternDomainUser: domain + `\` + user + "*", patternUserAtDomain: user + "*@" + domain, patternUser: user + "*"}[p.form]
	v.warn(path, singleQuoted(p.text)+", a limit below the default, which a user principal name with another suffix (user@other) escapes",
		singleQuoted(with)+", which takes longer names too, or identity.directory, which knows whose name it is")
}

// parts returns the domain and the user of a pattern as they are written; no domain
// for a pattern of a name in any domain.
func (p Pattern) parts() (domain, user string) {
	switch p.form {
	case patternDomainUser:
		domain, user, _ = strings.Cut(p.text, `\`)
	case patternUserAtDomain:
		at := strings.LastIndexByte(p.text, '@')
		user, domain = p.text[:at], p.text[at+1:]
	default:
		user = p.text
	}
	return domain, user
}

// first returns the first character of s that is in chars.
func first(s, chars string) string { return s[strings.IndexAny(s, chars):][:1] }
