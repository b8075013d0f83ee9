package probe

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/oiweiwei/go-msrpc/ssp/credential"
	"github.com/oiweiwei/go-msrpc/ssp/gssapi"
	"github.com/oiweiwei/go-msrpc/ssp/krb5"
	"github.com/oiweiwei/gokrb5.fork/v9/config"
	"github.com/oiweiwei/gokrb5.fork/v9/keytab"

	"github.com/nspiproxy/nspiproxy/policy"
)

// Where Kerberos is configured, in the usual places.
const (
	krb5ConfVariable = "KRB5_CONFIG"
	krb5ConfFile     = "/etc/krb5.conf"
)

// tcpOnly is the value of udp_preference_limit that means it (krb5.conf). Only
// TCP to the KDC is guarded, and tickets of accounts in many groups need it
// anyway.
const tcpOnly = 1

// kerberos returns the configuration and the credentials of t.
func (t Target) kerberos(ctx context.Context) (*krb5.Config, credential.Credential, error) {
	conf, err := t.krb5Conf()
	if err != nil {
		return nil, nil, err
	}
	conf.LibDefaults.UDPPreferenceLimit = tcpOnly
	realm, name, err := t.principal(conf.LibDefaults.DefaultRealm)
	if err != nil {
		return nil, nil, err
	}
	c := &krb5.Config{
		KRB5Config: krb5.ParsedLibDefaults(conf),
		// DCE/RPC authenticates in three legs (MS-KILE 3.4.5.1). Without the flag for
		// mutual authentication go-msrpc leaves out what a server wants to see of it.
		DCEStyle:        true,
		Flags:           []int{int(gssapi.MutualAuthn)},
		DisablePAFXFAST: true, // Active Directory does not take what the library makes of FAST
		KDCDialer:       kdcDialer{ctx},
	}
	if t.Keytab == "" {
		password, err := readPassword(t.PasswordFile)
		return c, credential.NewFromPassword(name, password, credential.Domain(realm)), err
	}
	keys, err := readKeytab(t.Keytab)
	return c, credential.NewFromKeytab(name, keys, credential.Domain(realm)), err
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
	conf, err := config.Load(file)
	var unsupported config.UnsupportedDirective // of no concern, where all else was read
	if err != nil && (conf == nil || !errors.As(err, &unsupported)) {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return conf, nil
}

func readKeytab(file string) (*keytab.Keytab, error) {
	data, err := policy.ReadPrivate(file)
	if err != nil {
		return nil, err
	}
	keys := keytab.New()
	if err := keys.Unmarshal(data); err != nil {
		return nil, fmt.Errorf("%s: no keytab: %w", file, err)
	}
	return keys, nil
}
