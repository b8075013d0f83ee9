package inspect

import (
	"strings"
	"unicode/utf8"

	"github.com/nspiproxy/nspiproxy/policy"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/session"
)

// Domain is a domain by both of its names. DNS may be unknown.
type Domain struct{ NetBIOS, DNS string }

// is reports whether a domain controller takes name for one of the domain's. It has no
// regard to case (Samba's find_domain_from_name_noinit), and none to the dot at the
// end of a DNS name; what is not the name by that, it takes for its own domain.
func (d *Domain) is(name string) bool {
	upper := upperDomain(name)
	return upper != "" && (upper == upperDomain(d.NetBIOS) || upper == upperDomain(d.DNS))
}

func upperDomain(name string) string { return strings.ToUpper(strings.TrimSuffix(name, ".")) }

// accountName is the name that a client has given, as the domain controller reads
// it.
type accountName struct {
	account session.Account
	dns     string // DNS name of its domain; empty: unknown
	// upn is the name where it was written user@suffix. It may be the user principal
	// name of another account than the one that account says (MS-ADTS 5.1.1.1.1): the
	// directory knows, and so may an accepted ticket.
	upn string
}

// nameOf returns what a domain controller of the domain own makes of a name in an
// NTLM message, where trusted are the domains that it trusts. A domain that is
// neither trusted nor its own it takes for its own (KB 103390; Samba with winbindd
// does the same), and so it does with none, and with its own name. user@suffix is an
// account of the domain that suffix names, or of its own domain, if the directory
// knows none of that user principal name.
func nameOf(s *rpcparse.SecurityContext, own Domain, trusted []Domain) accountName {
	if user, suffix, ok := cutSuffix(s.User); ok {
		n := own.account(s.User)
		if d := domainNamed(suffix, &own, trusted); d != nil {
			n = d.account(user)
		}
		n.upn = user + "@" + suffix
		return n
	}
	if d := domainNamed(s.Domain, &own, trusted); d != nil {
		return d.account(s.User)
	}
	return own.account(s.User)
}

// cutSuffix cuts a user principal name at its last @, which may have another width:
// Active Directory compares without regard to that.
func cutSuffix(name string) (user, suffix string, ok bool) {
	at := strings.LastIndexAny(name, "@\uff20\ufe6b")
	if at < 0 {
		return "", "", false
	}
	_, width := utf8.DecodeRuneInString(name[at:])
	return name[:at], name[at+width:], true
}

func (d *Domain) account(user string) accountName {
	return accountName{account: session.Account{Domain: d.NetBIOS, User: user}, dns: d.DNS}
}

// domainNamed returns the domain of that name, or nil.
func domainNamed(name string, own *Domain, trusted []Domain) *Domain {
	if own.is(name) {
		return own
	}
	for i := range trusted {
		if trusted[i].is(name) {
			return &trusted[i]
		}
	}
	return nil
}

// question is the name as the directory is asked for it.
func (n *accountName) question() string {
	if n.upn != "" {
		return `\` + n.upn
	}
	return n.account.Domain + `\` + n.account.User
}

// forRules returns the name as rules see it.
func (n *accountName) forRules() policy.Name {
	return policy.Name{Domain: n.account.Domain, DNSDomain: n.dns, User: n.account.User}
}
