package proxy

import (
	"crypto/x509"
	"fmt"
	"os"

	"github.com/nspiproxy/nspiproxy/policy"
	"github.com/nspiproxy/nspiproxy/session/directory"
)

// newDirectory makes the directory of the configuration, or nil. It connects
// when the first name is looked up.
func newDirectory(c *policy.Directory) (*directory.Directory, error) {
	if !c.Configured() {
		return nil, nil
	}
	config := directory.Config{
		URL: string(c.URL), StartTLS: c.StartTLS, BaseDN: string(c.BaseDN), BindDN: string(c.BindDN),
		Timeout: c.Timeout, CacheSize: c.CacheSize, PositiveTTL: c.PositiveTTL, NegativeTTL: c.NegativeTTL,
	}
	if c.CAFile != "" {
		pem, err := os.ReadFile(string(c.CAFile))
		if err != nil {
			return nil, err
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("identity.directory.ca_file: %s has no certificate in PEM", c.CAFile)
		}
	}
	secret := string(c.PasswordFile)
	if c.Keytab != "" {
		secret = string(c.Keytab)
		conf, err := os.ReadFile(string(c.Krb5Conf))
		if err != nil {
			return nil, err
		}
		config.Kerberos = &directory.Kerberos{Config: string(conf)}
	}
	if secret != "" {
		if err := policy.CheckPrivate(secret); err != nil {
			return nil, err
		}
		config.Secret = func() ([]byte, error) { return policy.ReadPrivate(secret) }
	}
	return directory.New(config)
}
