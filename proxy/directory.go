package proxy

import (
	"crypto/x509"
	"errors"
	"fmt"
	"os"

	"github.com/nspiproxy/nspiproxy/policy"
	"github.com/nspiproxy/nspiproxy/proxy/inspect"
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

// accounts is the directory as inspectors ask it.
type accounts struct{ directory *directory.Directory }

// Cached implements inspect.Directory.
func (a accounts) Cached(account string) (inspect.Answer, bool) {
	r, found, ok := a.directory.Cached(account)
	return answerOf(r, found), ok
}

// Resolve implements inspect.Directory.
func (a accounts) Resolve(account string, done func(inspect.Answer)) {
	a.directory.Resolve(account, func(r directory.Result, err error) {
		answer := answerOf(r, err == nil)
		if errors.Is(err, directory.ErrDown) {
			answer.Down = err
		}
		done(answer)
	})
}

// Domains implements inspect.Directory.
func (a accounts) Domains() (list []inspect.Domain, ok bool) {
	known, ok := a.directory.Domains()
	for _, d := range known {
		list = append(list, inspect.Domain(d))
	}
	return list, ok
}

func answerOf(r directory.Result, found bool) inspect.Answer {
	return inspect.Answer{Found: found, SID: r.SID, Groups: r.Groups, Name: policy.Name{
		Domain: r.Domain.NetBIOS, DNSDomain: r.Domain.DNS, User: r.User, UPN: r.UPN,
	}}
}
