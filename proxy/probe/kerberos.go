package probe

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/oiweiwei/gokrb5.fork/v9/config"
	"github.com/oiweiwei/gokrb5.fork/v9/keytab"

	"github.com/nspiproxy/nspiproxy/policy"
	"github.com/nspiproxy/nspiproxy/proxy/client/kerberos"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/krb5"
)

// Where Kerberos is configured, in the usual places.
const (
	krb5ConfVariable = "KRB5_CONFIG"
	krb5ConfFile     = "/etc/krb5.conf"
)

// kerberos returns who asks for a ticket.
func (t Target) kerberos() (*kerberos.Client, error) {
	conf, err := t.krb5Conf()
	if err != nil {
		return nil, err
	}
	c := &kerberos.Client{Config: conf}
	if c.Realm, c.Name, err = t.principal(conf.LibDefaults.DefaultRealm); err != nil {
		return nil, err
	}
	if t.Keytab == "" {
		c.Password, err = readPassword(t.PasswordFile)
	} else {
		c.Keytab, err = readKeytab(t.Keytab)
	}
	return c, err
}

// principal returns the realm and name of User. Realms of Active Directory are
// domain names in capitals.
func (t Target) principal(defaultRealm string) (realm, name string, err error) {
	domain, name, err := t.user()
	if err != nil {
		return "", "", err
	}
	if !strings.Contains(domain, ".") {
		domain = defaultRealm
	}
	if domain == "" {
		return "", "", fmt.Errorf("user %q has no realm, and krb5.conf no default_realm", t.User)
	}
	return strings.ToUpper(domain), name, nil
}

// krb5Conf reads the configuration; without a file, KDCs are those in DNS.
func (t Target) krb5Conf() (*config.Config, error) {
	file, optional := t.Krb5Conf, false
	if file == "" {
		file = os.Getenv(krb5ConfVariable)
	}
	if file == "" {
		file, optional = krb5ConfFile, true
	}
	if _, err := os.Stat(file); err != nil {
		if optional && errors.Is(err, fs.ErrNotExist) {
			conf := config.New()
			conf.LibDefaults.DNSLookupKDC = true
			return conf, nil
		}
		return nil, err
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	conf, err := kerberos.ParseConfig(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return conf, nil
}

// readKeytab reads a keytab. The library's own errors would quote keys, and some
// files make it panic: package krb5 guards against both.
func readKeytab(file string) (*keytab.Keytab, error) {
	data, err := policy.ReadPrivate(file)
	if err != nil {
		return nil, err
	}
	if _, err := krb5.ParseKeytab(data); err != nil {
		return nil, fmt.Errorf("%s: no keytab: %w", file, err)
	}
	keys := keytab.New()
	if keys.Unmarshal(data) != nil {
		return nil, fmt.Errorf("%s: no keytab", file)
	}
	return keys, nil
}
