package policy

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/nspiproxy/nspiproxy/internal/fold"
)

// Identity is how users are recognised. Without it they are known by the names
// that they claim and by their addresses.
type Identity struct {
	// Directory turns names into SIDs. Default: none.
	Directory Directory `yaml:"directory"`
	// Keytabs are files with keys of domain controllers, which open Kerberos
	// tickets, and of accounts. They must be private. Default: none.
	Keytabs []File `yaml:"keytabs" need:"nonempty"`
	// Domains are those that the domain controllers trust, beside their own and
	// those that the directory knows. Any other domain in a name means the domain
	// controller's own, as it does to the domain controller. Default: none.
	Domains []Domain `yaml:"domains" need:"nonempty"`
	// Unreadable is what becomes of users who authenticate with something that
	// cannot be read. Default: count.
	Unreadable Unreadable `yaml:"unreadable"`
	// Networks are what users are counted by of whom nothing but the address is
	// known.
	Networks Networks `yaml:"networks"`
}

// Domain is a domain by both of its names.
type Domain struct {
	// NetBIOS is its NetBIOS name.
	NetBIOS NetBIOSName `yaml:"netbios" need:"required"`
	// DNS is its DNS name. Default: none.
	DNS HostName `yaml:"dns"`
}

// Unreadable is what becomes of an NspiBind of a user who has authenticated with
// something that cannot be read.
type Unreadable string

// The ways to go on.
const (
	// UnreadableCount counts it for the client's network.
	UnreadableCount Unreadable = "count"
	// UnreadableRefuse refuses it.
	UnreadableRefuse Unreadable = "refuse"
	// UnreadableHold has it wait, and refuses it then: a client that tries again and
	// again is slowed.
	UnreadableHold Unreadable = "hold"
)

// Networks are lengths of prefixes, in bits. All addresses of a network count as
// one user.
type Networks struct {
	// IPv4 is that of IPv4 networks. Default: 32, each address by itself.
	IPv4 int `yaml:"ipv4"`
	// IPv6 is that of IPv6 networks. Default: 64, what one host may have.
	IPv6 int `yaml:"ipv6"`
}

// Of returns the network of an address; IPv4-mapped addresses are IPv4, and zones
// are ignored. An invalid address is in none.
func (n Networks) Of(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	bits := n.IPv6
	if a.Is4() {
		bits = n.IPv4
	}
	p, _ := a.Prefix(bits)
	return p
}

func defaultNetworks() Networks { return Networks{IPv4: 32, IPv6: 64} }

// NetBIOSName is the NetBIOS name of a domain.
type NetBIOSName string

// maxNetBIOS is the greatest length of a NetBIOS name in characters (MS-NBTE 2.2.1).
const maxNetBIOS = 15

func parseNetBIOS(s string) (NetBIOSName, error) {
	unusable := func(r rune) bool { return !unicode.IsPrint(r) || strings.ContainsRune(`\/:*?"<>|@ `, r) }
	if s == "" || utf8.RuneCountInString(s) > maxNetBIOS || !utf8.ValidString(s) || strings.ContainsFunc(s, unusable) {
		return "", errors.New("not a NetBIOS name")
	}
	return NetBIOSName(s), nil
}

// Directory is an Active Directory server that is asked over LDAP.
type Directory struct {
	// URL is where it is. Without it there is no directory.
	URL LDAPURL `yaml:"url" need:"required"`
	// BaseDN restricts the search. Default: the domain or, on a global catalog,
	// the forest.
	BaseDN DirectoryName `yaml:"base_dn"`
	// StartTLS encrypts a connection to an ldap URL. Default: false.
	StartTLS bool `yaml:"start_tls"`
	// CAFile has the certificates to trust, in PEM. Default: the system's.
	CAFile File `yaml:"ca_file"`
	// BindDN is who asks: a DN, DOMAIN\user or user@domain.
	BindDN DirectoryName `yaml:"bind_dn" need:"required"`
	// PasswordFile has the password of BindDN. It must be private.
	PasswordFile File `yaml:"password_file"`
	// Keytab has the Kerberos key of BindDN, then user@REALM, in place of a
	// password. It must be private.
	Keytab File `yaml:"keytab"`
	// Krb5Conf says where the KDCs are, for Keytab. Default: /etc/krb5.conf.
	Krb5Conf File `yaml:"krb5_conf"`
	// Timeout bounds a look-up. Default: 5s.
	Timeout time.Duration `yaml:"timeout"`
	// CacheSize is how many names are remembered. Default: 10000.
	CacheSize int `yaml:"cache_size"`
	// PositiveTTL is how long a SID is remembered. Default: 1h.
	PositiveTTL time.Duration `yaml:"positive_ttl"`
	// NegativeTTL is how long it is that a name is unknown. Default: 1m.
	NegativeTTL time.Duration `yaml:"negative_ttl"`
	// WhenDown is what becomes of users while it does not answer. Default: claimed.
	WhenDown WhenDown `yaml:"when_down"`
}

func defaultDirectory() Directory {
	return Directory{
		Krb5Conf:    "/etc/krb5.conf",
		Timeout:     2 * time.Second,
		CacheSize:   10000,
		PositiveTTL: time.Hour,
		NegativeTTL: time.Minute,
		WhenDown:    WhenDownClaimed,
	}
}

// Configured reports whether there is a directory.
func (d *Directory) Configured() bool { return d.URL != "" }

// learnsSIDs reports whether the SID of any user can become known.
func (i *Identity) learnsSIDs() bool { return i.Directory.Configured() || len(i.Keytabs) > 0 }

// WhenDown is what becomes of users while the directory does not answer.
type WhenDown string

// The two ways to go on.
const (
	// WhenDownClaimed counts users by the name that they gave.
	WhenDownClaimed WhenDown = "claimed"
	// WhenDownRefuse refuses those whose SID is not remembered.
	WhenDownRefuse WhenDown = "refuse"
)

// File is the path of a file.
type File string

func parsePath(s string) (File, error) {
	if s == "" || strings.ContainsFunc(s, unicode.IsControl) {
		return "", errors.New("not a path")
	}
	return File(s), nil
}

// DirectoryName is a name in the directory: a DN or, for a bind, an account.
type DirectoryName string

func parseDirectoryName(s string) (DirectoryName, error) {
	if s == "" || strings.ContainsFunc(s, unicode.IsControl) {
		return "", errors.New("not a name")
	}
	return DirectoryName(s), nil
}

// LDAPURL is ldaps://host[:port] or ldap://host[:port].
type LDAPURL string

const errLDAPURL = expectation("ldaps://HOST or ldap://HOST, with a port if it is not 636 or 389")

func parseLDAPURL(s string) (LDAPURL, error) {
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || (u.Path != "" && u.Path != "/") {
		return "", errLDAPURL
	}
	if !slices.Contains([]string{"ldap", "ldaps"}, u.Scheme) || strings.ContainsFunc(s, unicode.IsControl) {
		return "", errLDAPURL
	}
	return LDAPURL(s), nil
}

// domains checks that each name means one domain.
func (v *validator) domains() {
	seen := map[string]string{}
	for i, d := range v.cfg.Identity.Domains {
		path := fmt.Sprintf("identity.domains[%d]", i)
		netbios, dns := fold.String(string(d.NetBIOS)), fold.String(string(d.DNS))
		unique(v, seen, netbios, path+".netbios", "each name of a domain once")
		if dns != netbios {
			unique(v, seen, dns, path+".dns", "each name of a domain once")
		}
	}
}

// identity checks what the keys of the directory say together.
func (v *validator) identity() {
	v.domains()
	const path = "identity.directory"
	d := &v.cfg.Identity.Directory
	if d.Configured() {
		encrypted := strings.HasPrefix(strings.ToLower(string(d.URL)), "ldaps:")
		switch {
		case encrypted && d.StartTLS:
			v.problem(path+".start_tls", "true for an ldaps URL", "false: ldaps is encrypted from the first byte")
		case !encrypted && !d.StartTLS:
			v.problem(path+".url", quote(string(d.URL))+", which is not encrypted", "ldaps://, or start_tls: true")
		}
	}
	switch {
	case d.BindDN == "":
	case d.PasswordFile != "" && d.Keytab != "":
		v.problem(path+".keytab", "a keytab and a password_file", "one of them")
	case d.Keytab != "" && !strings.Contains(string(d.BindDN), "@"):
		v.problem(path+".bind_dn", quote(string(d.BindDN)), "user@REALM, as there is a keytab")
	case d.PasswordFile == "" && d.Keytab == "" && !v.given(path+".password_file") && !v.given(path+".keytab"):
		v.problem(path+".bind_dn", "no password_file and no keytab", "one of them")
	}
}
