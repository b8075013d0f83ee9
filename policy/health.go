package policy

import "time"

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
