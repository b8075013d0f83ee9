package directory

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"

	"github.com/go-ldap/ldap/v3"
)

// Defaults of [Config].
const (
	// DefaultTimeout is what a user waits at most, once: a directory in the same site
	// answers in milliseconds, and one that does not is not asked any more.
	DefaultTimeout = 2 * time.Second
	// DefaultCacheSize is some ten times the accounts that open NSPI sessions
	// through one proxy.
	DefaultCacheSize = 10_000
	// DefaultPositiveTTL is how long new groups or a new name of an account may go
	// unseen. Its SID does not change within a domain.
	DefaultPositiveTTL = time.Hour
	// DefaultNegativeTTL is how long a new account may be unknown.
	DefaultNegativeTTL = time.Minute
)

// Config says which directory is asked, and how.
type Config struct {
	// URL is ldaps://host[:port] or ldap://host[:port]. The host is what the
	// server's certificate must name. Ports default to 636 and 389; the global
	// catalog has 3269 and 3268.
	URL string
	// StartTLS encrypts a connection to an ldap URL before the bind. Without it
	// passwords and answers cross the network in the clear, and can be changed on
	// the way.
	StartTLS bool
	// RootCAs are the certificate authorities to trust; nil: the system's.
	RootCAs *x509.CertPool
	// BaseDN restricts the search to accounts below it. Empty: the whole domain
	// or, on a global catalog, the forest.
	BaseDN string

	// BindDN is the account that asks: a DN, DOMAIN\user or user@domain; with
	// Kerberos it is user@REALM. Empty: no bind; Active Directory then refuses to
	// answer.
	BindDN string
	// Secret returns the password of BindDN, or with Kerberos its keytab. It is
	// called for each connection, so that a changed password is found. Line ends
	// behind a password, as files have them, do not count. Its errors are shown.
	Secret func() ([]byte, error)
	// Kerberos, if not nil, makes the bind one with Kerberos (SASL GSSAPI).
	Kerberos *Kerberos

	// Timeout bounds a look-up from call to answer. 0: [DefaultTimeout].
	Timeout time.Duration
	// CacheSize is how many names are remembered that the directory knows, and
	// again how many that it does not know, so that made-up names displace only
	// each other.
	// 0: [DefaultCacheSize].
	CacheSize int
	// PositiveTTL is how long an answer is used. After it, it is used while another one is
	// asked for, and while the directory is down, for a day at most. 0: [DefaultPositiveTTL].
	PositiveTTL time.Duration
	// NegativeTTL is how long a name counts as unknown. 0: [DefaultNegativeTTL].
	NegativeTTL time.Duration

	// Changed is called when the directory is found to be down, with the cause, and with nil
	// when it is up again. It must not wait.
	Changed func(cause error)

	base *ldap.DN // BaseDN, parsed
}

// Kerberos is what a bind with Kerberos needs beside the keytab.
type Kerberos struct {
	// Config is the text of a krb5.conf: where the KDCs of the realm are.
	Config string
}

// withDefaults returns c with the defaults filled in.
func (c Config) withDefaults() Config {
	if c.Timeout <= 0 {
		c.Timeout = DefaultTimeout
	}
	if c.CacheSize <= 0 {
		c.CacheSize = DefaultCacheSize
	}
	if c.PositiveTTL <= 0 {
		c.PositiveTTL = DefaultPositiveTTL
	}
	if c.NegativeTTL <= 0 {
		c.NegativeTTL = DefaultNegativeTTL
	}
	return c
}

// server is where a URL leads.
type server struct {
	host    string // what the certificate must name
	address string // host:port
	tls     bool   // from the first byte
	catalog bool   // a global catalog, by its port
}

// The ports of LDAP (RFC 4516, RFC 4511; MS-ADTS 3.1.1.3.1.11 for the global
// catalog).
const (
	portLDAP       = "389"
	portLDAPS      = "636"
	portCatalog    = "3268"
	portCatalogTLS = "3269"
)

// parseURL reads Config.URL.
func parseURL(text string) (server, error) {
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || (u.Path != "" && u.Path != "/") {
		return server{}, fmt.Errorf("%q is not ldaps://host[:port] or ldap://host[:port]", text)
	}
	s := server{host: u.Hostname(), tls: u.Scheme == "ldaps"}
	port := u.Port()
	switch {
	case u.Scheme != "ldap" && u.Scheme != "ldaps":
		return server{}, fmt.Errorf("%q is not ldaps://host[:port] or ldap://host[:port]", text)
	case port == "" && s.tls:
		port = portLDAPS
	case port == "":
		port = portLDAP
	}
	s.address = net.JoinHostPort(s.host, port)
	s.catalog = port == portCatalog || port == portCatalogTLS
	return s, nil
}

// check finds what contradicts itself, and reads BaseDN.
func (c *Config) check(s server) (err error) {
	if c.base, err = ldap.ParseDN(c.BaseDN); err != nil {
		return fmt.Errorf("base DN %q: %w", c.BaseDN, err)
	}
	switch {
	case s.tls && c.StartTLS:
		return errors.New("StartTLS is for ldap URLs: ldaps is encrypted from the first byte")
	case c.BindDN != "" && c.Secret == nil:
		return errors.New("a bind as " + c.BindDN + " needs a password or a keytab")
	case c.Kerberos != nil && c.BindDN == "":
		return errors.New("a bind with Kerberos needs user@REALM")
	}
	return nil
}
