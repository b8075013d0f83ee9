package directory

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-ldap/ldap/v3"
)

// maxDomains bounds the domains of a forest: Active Directory supports 1200.
const maxDomains = 1200

// domain is one domain of the forest (MS-ADTS 6.1.1.2.1.1: its crossRef object).
type domain struct {
	base    string   // nCName, the DN below which its accounts are
	dn      *ldap.DN // base, parsed
	netbios string   // nETBIOSName
	dns     string   // dnsRoot
}

// forest is all its domains; own is the one of the server that was asked, and
// trusted are domains outside that it trusts.
type forest struct {
	domains []domain
	own     *domain
	trusted []Domain
}

// all returns the names of all domains whose accounts can log on.
func (f *forest) all() []Domain {
	list := make([]Domain, 0, len(f.domains)+len(f.trusted))
	for _, d := range f.domains {
		list = append(list, Domain{d.netbios, d.dns})
	}
	return append(list, f.trusted...)
}

// trustOutbound is the bit of trustDirection of a domain that is trusted (MS-ADTS
// 6.1.6.7.12).
const trustOutbound = 2

// readTrusts asks which domains outside the forest are trusted. A server that does
// not tell has none that is known.
func (l *link) readTrusts(own string) ([]Domain, error) {
	found, err := l.subtree("CN=System,"+own, "(objectClass=trustedDomain)", "flatName", "trustPartner", "trustDirection")
	switch {
	case broken(err):
		return nil, err
	case err != nil:
		return nil, nil
	}
	var trusted []Domain
	for _, e := range found.Entries {
		direction, err := strconv.Atoi(e.GetAttributeValue("trustDirection"))
		d := Domain{e.GetAttributeValue("flatName"), e.GetAttributeValue("trustPartner")}
		if err == nil && direction&trustOutbound != 0 && plausible(d.NetBIOS) && (d.DNS == "" || plausible(d.DNS)) {
			trusted = append(trusted, d)
		}
	}
	return trusted, nil
}

// readForest asks the server which domains there are.
func (l *link) readForest() (forest, error) {
	root, err := l.read("", "defaultNamingContext", "configurationNamingContext")
	if final(err) { // which is no answer about an account
		return forest{}, errors.New("the server has no root")
	}
	if err != nil {
		return forest{}, err
	}
	configuration := root.GetAttributeValue("configurationNamingContext")
	own := root.GetAttributeValue("defaultNamingContext")
	if configuration == "" || own == "" {
		return forest{}, errors.New("the server is not Active Directory")
	}
	found, err := l.subtree(configuration, "(&(objectClass=crossRef)(nETBIOSName=*))", "nCName", "nETBIOSName", "dnsRoot")
	if err != nil {
		return forest{}, err
	}
	f, err := newForest(found.Entries, own)
	if err != nil {
		return forest{}, err
	}
	f.trusted, err = l.readTrusts(own)
	return f, err
}

// newForest reads crossRef objects.
func newForest(crossRefs []*ldap.Entry, own string) (forest, error) {
	var f forest
	for _, e := range crossRefs {
		d := domain{base: e.GetAttributeValue("nCName"), netbios: e.GetAttributeValue("nETBIOSName"), dns: e.GetAttributeValue("dnsRoot")}
		dn, err := ldap.ParseDN(d.base)
		if err != nil || d.base == "" || !plausible(d.netbios) {
			continue // of no use for any name
		}
		d.dn = dn
		f.domains = append(f.domains, d)
	}
	dn, err := ldap.ParseDN(own)
	if err != nil {
		return forest{}, fmt.Errorf("defaultNamingContext: %w", err)
	}
	for i := range f.domains {
		if f.domains[i].dn.EqualFold(dn) {
			f.own = &f.domains[i]
			return f, nil
		}
	}
	return forest{}, fmt.Errorf("%s is not among the domains of the forest; may the account that asks read them?", own)
}

// named returns the domain with that NetBIOS or DNS name; no name is the
// server's own.
func (f *forest) named(name string) (*domain, error) {
	if name == "" {
		return f.own, nil
	}
	for i := range f.domains {
		if d := &f.domains[i]; strings.EqualFold(d.netbios, name) || strings.EqualFold(d.dns, name) {
			return d, nil
		}
	}
	return nil, fmt.Errorf("%w: no such domain in the forest", ErrNotFound)
}

// domainOf returns the domain that e is in: the lowest one above it, as a child
// domain lies below its parent. nil: none.
func (f *forest) domainOf(e *ldap.Entry) *domain {
	dn, err := ldap.ParseDN(e.DN)
	if err != nil {
		return nil
	}
	var best *domain
	for i := range f.domains {
		d := &f.domains[i]
		if d.dn.AncestorOfFold(dn) && (best == nil || best.dn.AncestorOfFold(d.dn)) {
			best = d
		}
	}
	return best
}
