package directory

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/go-ldap/ldap/v3"
)

// lookup asks for n. Errors are those of this package where the directory
// answered, else the library's.
func (l *link) lookup(ctx context.Context, n name) (Result, error) {
	defer l.limit(ctx)()
	entry, err := l.find(n)
	if err != nil {
		return Result{}, err
	}
	return l.resultOf(entry)
}

// find returns the one account that has the name n.
func (l *link) find(n name) (*ldap.Entry, error) {
	if n.upn {
		return l.findUPN(n)
	}
	d, err := l.forest.named(n.domain)
	if err != nil {
		return nil, err
	}
	return l.findIn(d, n.user)
}

// findUPN prefers the account that has the name as its userPrincipalName to the
// one of which it is the implicit form, as domain controllers do (MS-ADTS
// 5.1.1.1.1).
func (l *link) findUPN(n name) (*ldap.Entry, error) {
	entry, err := l.search(nil, l.everywhere(), "userPrincipalName", n.user)
	if !errors.Is(err, ErrNotFound) {
		return entry, err
	}
	user, suffix := n.split()
	if user == "" || suffix == "" {
		return nil, err
	}
	d, err := l.forest.named(suffix)
	if err != nil {
		return nil, err
	}
	return l.findIn(d, user)
}

// findIn returns the account of domain d with that sAMAccountName. A child domain
// lies below its parent, where a global catalog finds its accounts too: each
// domain of the forest may have one of that name.
func (l *link) findIn(d *domain, user string) (*ldap.Entry, error) {
	base, err := l.within(d)
	if err != nil {
		return nil, err
	}
	return l.search(d, base, "sAMAccountName", user)
}

// everywhere is the base for names that are not of one domain.
func (l *link) everywhere() string {
	switch {
	case l.config.BaseDN != "":
		return l.config.BaseDN
	case l.server.catalog:
		return "" // all domains (MS-ADTS 3.1.1.3.1.3)
	}
	return l.forest.own.base
}

// within is the base for the accounts of d: the lower one of d and BaseDN.
func (l *link) within(d *domain) (string, error) {
	base := l.config.base
	switch {
	case l.config.BaseDN == "":
		return d.base, nil
	case d.dn.EqualFold(base) || d.dn.AncestorOfFold(base):
		return l.config.BaseDN, nil
	case base.AncestorOfFold(d.dn):
		return d.base, nil
	}
	return "", fmt.Errorf("%w: the domain is not below %s", ErrNotFound, l.config.BaseDN)
}

// search returns the one account below base of which attribute equals value; in
// domain d, unless that is nil. The value comes from the network: escaped (RFC
// 4515 section 3), it is nothing but a value, whatever it holds.
func (l *link) search(d *domain, base, attribute, value string) (*ldap.Entry, error) {
	found, err := l.subtree(base, fmt.Sprintf("(&(objectClass=user)(%s=%s))", attribute, ldap.EscapeFilter(value)), "objectSid", "sAMAccountName", "userPrincipalName")
	switch {
	case err != nil && !broken(err):
		return nil, classify(err)
	case err != nil:
		return nil, err
	}
	entries := found.Entries
	if d != nil {
		entries = slices.DeleteFunc(entries, func(e *ldap.Entry) bool { return l.forest.domainOf(e) != d })
	}
	switch len(entries) {
	case 0:
		return nil, ErrNotFound
	case 1:
		return entries[0], nil
	}
	return nil, ErrAmbiguous
}

// subtree returns the objects below base, as many as there can be domains. A
// server that sends more loses the connection.
func (l *link) subtree(base, filter string, attributes ...string) (*ldap.SearchResult, error) {
	r := ldap.NewSearchRequest(base, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, maxDomains, 0, false, filter, attributes, nil)
	r.EnforceSizeLimit = true
	return l.ldap.Search(r)
}

// read returns one object by its DN.
func (l *link) read(dn string, attributes ...string) (*ldap.Entry, error) {
	found, err := l.ldap.Search(ldap.NewSearchRequest(dn, ldap.ScopeBaseObject, ldap.NeverDerefAliases, 0, 0, false,
		"(objectClass=*)", attributes, nil))
	if err != nil {
		return nil, err
	}
	if len(found.Entries) != 1 {
		return nil, fmt.Errorf("%w: %q is not there", ErrNotFound, dn)
	}
	return found.Entries[0], nil
}
