package policy

import (
	"fmt"
	"reflect"
	"strings"
	"time"
)

// Health is how it is found out which domain controllers serve, and where.
type Health struct {
	// Check is what an active check does. Default: nspi.
	Check HealthCheck `yaml:"check"`
	// Interval is the time from one check of a domain controller to the next.
	// Default: 10s.
	Interval time.Duration `yaml:"interval"`
	// Timeout bounds a check. Default: 5s.
	Timeout time.Duration `yaml:"timeout"`
	// Rise is how many checks in a row must succeed before a domain controller
	// that did not serve is used again. Default: 2.
	Rise int `yaml:"rise"`
	// Fall is how many in a row must fail before it is used no more. Default: 3.
	Fall int `yaml:"fall"`
	// EndpointInterval is how often each endpoint mapper is asked where NSPI is.
	// Default: 500ms.
	EndpointInterval time.Duration `yaml:"endpoint_interval"`
	// Auth is how a check of NSPI authenticates. Default: none.
	Auth HealthAuth `yaml:"auth"`
	// Level is its authentication level. Default: privacy.
	Level HealthLevel `yaml:"level"`
	// User is the account of the checks: for ntlm DOMAIN\user or user@domain, for
	// kerberos user@REALM. Default: none.
	User Account `yaml:"user"`
	// PasswordFile has the password of User. It must be private.
	PasswordFile File `yaml:"password_file"`
	// Keytab has the Kerberos key of User, in place of a password. It must be
	// private.
	Keytab File `yaml:"keytab"`
	// Krb5Conf says where the KDCs are, for kerberos. Default: /etc/krb5.conf.
	Krb5Conf File `yaml:"krb5_conf"`
}

// HealthCheck is what an active check does.
type HealthCheck string

// The checks.
const (
	// CheckNSPI opens an NSPI session, asks a question and closes it.
	CheckNSPI HealthCheck = "nspi"
	// CheckEPM asks the endpoint mapper for NSPI.
	CheckEPM HealthCheck = "epm"
	// CheckNone leaves it at what the clients' connections show.
	CheckNone HealthCheck = "none"
)

// HealthAuth is how a check authenticates.
type HealthAuth string

// The ways to authenticate.
const (
	AuthNone     HealthAuth = "none"
	AuthNTLM     HealthAuth = "ntlm"
	AuthKerberos HealthAuth = "kerberos"
)

// HealthLevel is an authentication level (MS-RPCE 2.2.1.1.8).
type HealthLevel string

// The levels.
const (
	LevelConnect   HealthLevel = "connect"
	LevelPacket    HealthLevel = "packet"
	LevelIntegrity HealthLevel = "integrity"
	LevelPrivacy   HealthLevel = "privacy"
)

func defaultHealth() Health {
	return Health{
		Check:            CheckNSPI,
		Interval:         10 * time.Second,
		Timeout:          5 * time.Second,
		Rise:             2,
		Fall:             3,
		EndpointInterval: 500 * time.Millisecond,
		Auth:             AuthNone,
		Level:            LevelPrivacy,
		Krb5Conf:         "/etc/krb5.conf",
	}
}

// Bounds of the checks. More often than once a second they would be a load of
// their own: each is a process, a handshake and a session. What a hundred checks
// in a row have not shown, more will not.
const (
	minCheckInterval = time.Second
	maxChecks        = 100
)

// health checks what the keys say together.
func (v *validator) health() {
	h := &v.cfg.Health
	if h.Timeout > h.Interval && h.Interval >= minCheckInterval {
		path := "health.interval"
		if !v.given(path) {
			path = "health.timeout"
		}
		v.problem(path, fmt.Sprintf("an interval of %v and a timeout of %v", h.Interval, h.Timeout),
			"a check that ends before the next begins")
	}
	v.healthAuth(h)
}

// healthAuth checks the credentials of the checks: all that are needed, and
// none that nobody looks at.
func (v *validator) healthAuth(h *Health) {
	if v.unread("health.auth") || v.unread("health.check") {
		return
	}
	if h.Auth == AuthNone {
		v.useless("a key that auth none does not use", "auth: ntlm or kerberos, or no such key", "user", "password_file", "keytab")
		return
	}
	if h.Check != CheckNSPI {
		v.problem("health.auth", fmt.Sprintf("%s with check %s, which does not authenticate", h.Auth, h.Check), "none, or check: nspi")
		return
	}
	v.missing("health", "user", expectedFor(reflect.TypeFor[Account]()))
	if h.Auth == AuthNTLM {
		v.missing("health", "password_file", expectedFor(reflect.TypeFor[File]()))
		v.useless("a key that auth ntlm does not use", "password_file alone", "keytab")
		return
	}
	password, keytab := v.given("health.password_file"), v.given("health.keytab")
	switch {
	case password && keytab:
		v.problem("health.keytab", "a keytab and a password_file", "one of them")
	case !password:
		v.missing("health", "keytab", "the path of a file, or password_file")
	}
	if h.User != "" && !strings.Contains(string(h.User), "@") {
		v.problem("health.user", quote(string(h.User)), "user@REALM, as auth is kerberos")
	}
	for i, b := range v.cfg.Backends {
		if path := fmt.Sprintf("backends[%d]", i); b.SRV == "" && b.Host == "" && !v.unread(path+".host") {
			v.missing(path, "host", "the DNS name of the domain controller, as health.auth is kerberos")
		}
	}
}

// useless reports keys of the health section that have no effect.
func (v *validator) useless(found, expected string, keys ...string) {
	for _, key := range keys {
		if path := "health." + key; v.given(path) {
			v.problem(path, found, expected)
		}
	}
}
