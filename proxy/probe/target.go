package probe

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/nspiproxy/nspiproxy/policy"
)

// Auth is how a probe authenticates.
type Auth string

// The ways to authenticate.
const (
	AuthNone     Auth = "none"
	AuthNTLM     Auth = "ntlm"
	AuthKerberos Auth = "kerberos"
)

// Level is an authentication level (MS-RPCE 2.2.1.1.8).
type Level string

// The levels. What each protects is in the same order.
const (
	LevelConnect   Level = "connect"   // nothing
	LevelPacket    Level = "packet"    // as integrity
	LevelIntegrity Level = "integrity" // that nobody has altered a PDU
	LevelPrivacy   Level = "privacy"   // and that nobody has read its stub
)

// Defaults of a [Target].
const (
	DefaultEPMPort = 135
	DefaultTimeout = 10 * time.Second
	DefaultLevel   = LevelPrivacy
)

// ServiceClass and a host's name are the SPN of NSPI on a domain controller.
const ServiceClass = "exchangeAB/"

// Target says what to probe and how. It holds the names of files with secrets,
// never secrets, so it may be logged.
type Target struct {
	Address  string // host name or IP address
	EPMPort  uint16 // 0: [DefaultEPMPort]
	NSPIPort uint16 // 0: ask the endpoint mapper

	Auth  Auth  // "": none
	Level Level // "": [DefaultLevel]; nothing to [AuthNone]
	// Raw speaks NTLM or Kerberos as such instead of inside SPNEGO. SPNEGO is what
	// every NSPI server must have (MS-NSPI 2.1).
	Raw bool
	// User is DOMAIN\user, user@realm or, for Kerberos, a user of the default realm
	// of krb5.conf. So is DOMAIN\user for Kerberos if DOMAIN has no dot, which is no
	// name of a realm.
	User         string
	PasswordFile string // private; a line feed at its end does not count
	Keytab       string // private; for Kerberos instead of a password
	Krb5Conf     string // "": $KRB5_CONFIG or /etc/krb5.conf if there, else DNS
	// SPN is what the ticket is for. "": exchangeAB/ and Address; if that is an IP
	// address, the name that DNS has for it.
	SPN string

	// Timeout bounds all steps together; NspiUnbind may take [UnbindTime] more.
	Timeout time.Duration // 0: [DefaultTimeout]
}

// Check returns an error if t cannot be probed whatever the network says: it
// contradicts itself, or a file with secrets is not there or not private.
func (t Target) Check() error {
	if err := t.check(); err != nil {
		return err
	}
	for _, file := range []string{t.PasswordFile, t.Keytab} {
		if file == "" {
			continue
		}
		if err := policy.CheckPrivate(file); err != nil {
			return err
		}
	}
	return nil
}

func (t Target) check() error {
	if t.Address == "" {
		return errors.New("no address")
	}
	if t.Timeout < 0 {
		return fmt.Errorf("a time-out of %v", t.Timeout)
	}
	switch t.Level {
	case "", LevelConnect, LevelPacket, LevelIntegrity, LevelPrivacy:
	default:
		return fmt.Errorf("level %q is none of connect, packet, integrity, privacy", t.Level)
	}
	switch t.Auth {
	case "", AuthNone:
		if t.User != "" || t.PasswordFile != "" || t.Keytab != "" {
			return errors.New("a user, password or keytab without a way to authenticate")
		}
		return nil
	case AuthNTLM:
		if t.PasswordFile == "" || t.Keytab != "" {
			return errors.New("ntlm takes a password file and no keytab")
		}
	case AuthKerberos:
		if (t.PasswordFile == "") == (t.Keytab == "") {
			return errors.New("kerberos takes a password file or a keytab")
		}
	default:
		return fmt.Errorf("auth %q is none of none, ntlm, kerberos", t.Auth)
	}
	_, _, err := t.user()
	return err
}

// user splits User into its domain or realm, "" if it has none, and its name.
func (t Target) user() (domain, name string, err error) {
	down, at := strings.Count(t.User, `\`), strings.Count(t.User, "@")
	switch {
	case down == 1 && at == 0:
		domain, name, _ = strings.Cut(t.User, `\`)
	case down == 0 && at == 1:
		name, domain, _ = strings.Cut(t.User, "@")
	case down == 0 && at == 0:
		name = t.User
	}
	if name == "" || down+at > 0 && domain == "" {
		return "", "", fmt.Errorf(`user %q is neither DOMAIN\user nor user@realm`, t.User)
	}
	if domain == "" && t.Auth == AuthNTLM {
		return "", "", fmt.Errorf(`user %q has no domain: DOMAIN\user or user@realm`, t.User)
	}
	return domain, name, nil
}

// authenticated reports whether the probe has a name.
func (t Target) authenticated() bool { return t.Auth == AuthNTLM || t.Auth == AuthKerberos }

// isAddress reports whether Address is an IP address and not a name.
func (t Target) isAddress() bool {
	_, err := netip.ParseAddr(t.Address)
	return err == nil
}

// withDefaults returns t with every default filled in that needs no network.
func (t Target) withDefaults() Target {
	if t.EPMPort == 0 {
		t.EPMPort = DefaultEPMPort
	}
	if t.Auth == "" {
		t.Auth = AuthNone
	}
	if t.Level == "" {
		t.Level = DefaultLevel
	}
	if t.Timeout == 0 {
		t.Timeout = DefaultTimeout
	}
	if t.SPN == "" && t.authenticated() && !t.isAddress() {
		t.SPN = ServiceClass + t.Address
	}
	return t
}
