package proxy

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/nspiproxy/nspiproxy/policy"
	"github.com/nspiproxy/nspiproxy/proxy/client/kerberos"
	"github.com/nspiproxy/nspiproxy/proxy/inspect"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/krb5"
	"github.com/nspiproxy/nspiproxy/session/directory"
)

// Check opens and reads every file that a configuration names as [New] does, and says by
// what users are counted with the keys that the keytabs have now. Its error is that of New:
// [policy.Problems].
func Check(config *policy.Config) ([]policy.Counting, error) {
	keys, d, err := open(config, nil)
	if err != nil {
		return nil, err
	}
	if d != nil {
		d.Close()
	}
	return counting(config, keys), nil
}

// open reads what a configuration names outside of itself. Everything that is wrong is in
// the error.
func open(config *policy.Config, events inspect.Events) (*keyring, *directory.Directory, error) {
	f := &files{config: config}
	keys, problems := newKeyring(config, events)
	f.problems = problems
	f.health()
	d := newDirectory(&config.Identity.Directory, f, events)
	if len(f.problems) > 0 {
		return nil, nil, f.problems
	}
	return keys, d, nil
}

// files collects what is wrong with the files of a configuration.
type files struct {
	config   *policy.Config
	problems policy.Problems
}

// found adds an error, if it is one, at a key.
func (f *files) found(path string, err error, expected string) {
	if err != nil {
		f.problems = append(f.problems, f.config.Problem(path, err.Error(), expected))
	}
}

// foundIn is found for a file.
func (f *files) foundIn(path string, file policy.File, err error, expected string) {
	if err != nil {
		f.found(path, fmt.Errorf("'%s': %w", file, err), expected)
	}
}

// health checks what the checks of domain controllers authenticate with.
func (f *files) health() {
	h := &f.config.Health
	if h.Auth == policy.AuthNone {
		return
	}
	if h.PasswordFile != "" {
		f.password("health.password_file", h.PasswordFile)
	}
	if h.Keytab != "" {
		f.keytab("health.keytab", h.Keytab, string(h.User))
	}
	if h.Auth == policy.AuthKerberos && h.Krb5Conf != "" {
		_, realm, _ := strings.Cut(string(h.User), "@")
		f.krb5Conf("health.krb5_conf", h.Krb5Conf, strings.ToUpper(realm)) // as package probe has it
	}
}

func (f *files) password(path string, file policy.File) {
	data, err := policy.ReadPassword(string(file))
	clear(data)
	f.foundIn(path, file, err, "a file whose one line is the password, in UTF-8")
}

const keytabExpected = "a keytab, as ktutil, ktpass or samba-tool writes it"

// keytab checks that a keytab has a key of a principal, user@REALM.
func (f *files) keytab(path string, file policy.File, principal string) {
	tab, err := readKeytab(string(file))
	if err != nil {
		f.foundIn(path, file, err, keytabExpected)
		return
	}
	var has []string
	for _, e := range tab.Entries() {
		if strings.EqualFold(e.Principal, principal) {
			return
		}
		has = append(has, e.Principal)
	}
	f.foundIn(path, file, fmt.Errorf("no key of %s in it, but of %s", principal, principals(has)), "a keytab with a key of that account")
}

// principals names those of a keytab, without repetition, the first of them.
func principals(all []string) string {
	const most = 5
	var list []string
	for _, p := range all {
		if n := len(list); n == 0 || list[n-1] != p {
			list = append(list, p)
		}
	}
	if len(list) == 0 {
		return "nobody"
	}
	if len(list) > most {
		return strings.Join(list[:most], ", ") + " and others"
	}
	return strings.Join(list, ", ")
}

// readKeytab reads a keytab, which must have a key that can be used.
func readKeytab(path string) (*krb5.Keytab, error) {
	data, err := policy.ReadPrivate(path)
	if err != nil {
		return nil, err
	}
	defer clear(data)
	tab, err := krb5.ParseKeytab(data)
	if err != nil {
		return nil, err
	}
	if tab.Len() == 0 {
		return nil, errors.New("it has no key of a type that can be used (AES, arcfour-hmac)")
	}
	return tab, nil
}

// krb5Conf returns the text of a krb5.conf, which must lead to the KDCs of a realm.
func (f *files) krb5Conf(path string, file policy.File, realm string) string {
	text, err := os.ReadFile(string(file))
	if err == nil {
		conf, failed := kerberos.ParseConfig(string(text))
		if err = failed; err == nil {
			err = kerberos.FindsKDC(conf, realm)
		}
	}
	f.foundIn(path, file, err, "a configuration of Kerberos, as krb5.conf(5) says")
	return string(text)
}

// certificates reads certificates in PEM. Each of them must be good: one that is passed
// over is missed later, when the server shows its own.
func (f *files) certificates(path string, file policy.File) *x509.CertPool {
	rest, err := os.ReadFile(string(file))
	pool, number := x509.NewCertPool(), 0
	for err == nil {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		number++
		var certificate *x509.Certificate
		if certificate, err = x509.ParseCertificate(block.Bytes); err != nil {
			err = fmt.Errorf("certificate %d in it: %w", number, err)
			break
		}
		pool.AddCert(certificate)
	}
	if err == nil && number == 0 {
		err = errors.New("there is no certificate in PEM in it")
	}
	f.foundIn(path, file, err, "certificates in PEM (openssl x509 -inform der -in FILE makes them of others)")
	return pool
}
