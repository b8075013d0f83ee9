package inspect

import (
	"strings"

	"github.com/nspiproxy/nspiproxy/internal/fold"
	"github.com/nspiproxy/nspiproxy/policy"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/ntlm"
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
	upn     bool   // User is a user principal name whose suffix is no domain
}

// nameOf returns what the domain controller makes of a name in an NTLM message,
// where trusted are the domains that it trusts. A domain that is neither trusted
// nor its own it takes for its own (KB 103390; Samba with winbindd does the same),
// and so it does with none, and with its own name. user@suffix is an account of the
// domain that suffix names, or a user principal name that only the directory knows.
// Without the names in a CHALLENGE the name is as written.
func nameOf(s *rpcparse.SecurityContext, trusted []Domain) accountName {
	own := ownDomain(s.Server)
	if own == nil {
		return accountName{account: session.Account{Domain: s.Domain, User: s.User}}
	}
	if at := strings.LastIndexByte(s.User, '@'); at >= 0 {
		if d := domainNamed(s.User[at+1:], own, trusted); d != nil {
			return d.account(s.User[:at])
		}
		n := own.account(s.User)
		n.upn = true
		return n
	}
	if d := domainNamed(s.Domain, own, trusted); d != nil {
		return d.account(s.User)
	}
	return own.account(s.User)
}

func (d *Domain) account(user string) accountName {
	return accountName{account: session.Account{Domain: d.NetBIOS, User: user}, dns: d.DNS}
}

// ownDomain returns the domain of a domain controller, or nil if it does not say.
func ownDomain(server *ntlm.Target) *Domain {
	if server == nil || server.NetBIOSDomain == "" {
		return nil
	}
	return &Domain{NetBIOS: server.NetBIOSDomain, DNS: server.DNSDomain}
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
	if n.upn {
		return `\` + n.account.User
	}
	return n.account.Domain + `\` + n.account.User
}

// forRules returns the name as rules see it.
func (n *accountName) forRules() policy.Name {
	return policy.Name{Domain: n.account.Domain, DNSDomain: n.dns, User: n.account.User}
}
