package policy

import (
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"
)

// Identity is how users are recognised. Without it they are known by the names
// that they claim and by their addresses.
type Identity struct {
	// Directory turns names into SIDs. Default: none.
	Directory Directory `yaml:"directory"`
	// Keytabs are files with keys of domain controllers, which open Kerberos
	// tickets, and of accounts. They must be private. Default: none.
	Keytabs []File `yaml:"keytabs" need:"nonempty"`
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
		Timeout:     5 * time.Second,
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

// identity checks what the keys of the directory say together.
func (v *validator) identity() {
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
