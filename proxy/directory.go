package proxy

import (
	"errors"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/nspiproxy/nspiproxy/policy"
	"github.com/nspiproxy/nspiproxy/proxy/inspect"
	"github.com/nspiproxy/nspiproxy/session/directory"
)

// newDirectory makes the directory of the configuration, or nil. It connects when the first
// name is looked up. What is wrong with the files is in f.
func newDirectory(c *policy.Directory, f *files, events inspect.Events) *directory.Directory {
	if !c.Configured() {
		return nil
	}
	const key = "identity.directory"
	config := directory.Config{
		URL: string(c.URL), StartTLS: c.StartTLS, BaseDN: string(c.BaseDN), BindDN: string(c.BindDN),
		Timeout: c.Timeout, CacheSize: c.CacheSize, PositiveTTL: c.PositiveTTL, NegativeTTL: c.NegativeTTL,
		Changed: func(cause error) { events.Report(inspect.DirectoryChanged{Err: cause}) },
	}
	if c.CAFile != "" {
		config.RootCAs = f.certificates(key+".ca_file", c.CAFile)
	}
	if c.Keytab != "" {
		_, realm, _ := strings.Cut(string(c.BindDN), "@")
		f.keytab(key+".keytab", c.Keytab, string(c.BindDN))
		config.Kerberos = &directory.Kerberos{Config: f.krb5Conf(key+".krb5_conf", c.Krb5Conf, realm)}
		config.Secret = func() ([]byte, error) { return policy.ReadPrivate(string(c.Keytab)) }
	} else {
		f.password(key+".password_file", c.PasswordFile)
		config.Secret = func() ([]byte, error) { return policy.ReadPassword(string(c.PasswordFile)) }
	}
	if len(f.problems) > 0 {
		return nil
	}
	d, err := directory.New(config)
	f.found(key, err, "a directory that can be asked")
	return d
}

// directoryCollector tells whether the directory answers.
func directoryCollector(d *directory.Directory) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: "nspiproxy", Name: "directory_up", Help: "1 while the directory is asked, 0 while it is down.",
	}, func() float64 {
		if d.Stats().IsDown {
			return 0
		}
		return 1
	})
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
