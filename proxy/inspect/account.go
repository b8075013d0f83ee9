package inspect

import (
	"strings"

	"github.com/nspiproxy/nspiproxy/internal/fold"
	"github.com/nspiproxy/nspiproxy/policy"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/session"
)

// Domain is a domain by both of its names. DNS may be unknown.
type Domain struct{ NetBIOS, DNS string }

// is reports whether name is one of the domain's.
func (d *Domain) is(name string) bool {
	folded := foldDomain(name)
	return folded != "" && (folded == foldDomain(d.NetBIOS) || folded == foldDomain(d.DNS))
}

// foldDomain brings a name of a domain into the form in which it is compared; a DNS
// name may end with a dot.
func foldDomain(name string) string { return strings.TrimSuffix(fold.String(name), ".") }

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
	if at := strings.LastIndexByte(s.User, '@'); at >= 0 {
		n := own.account(s.User)
		if d := domainNamed(s.User[at+1:], &own, trusted); d != nil {
			n = d.account(s.User[:at])
		}
		n.upn = s.User
		return n
	}
	if d := domainNamed(s.Domain, &own, trusted); d != nil {
		return d.account(s.User)
	}
	return own.account(s.User)
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
