package simdc

import (
	"net/netip"
	"strings"
	"time"

	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/ntlm"
)

// DefaultLimit is the number of sessions that a domain controller allows each
// user (KB 949469).
const DefaultLimit = 50

// Anonymous is the name under which sessions of unauthenticated connections
// are counted.
const Anonymous = `NT AUTHORITY\ANONYMOUS LOGON`

// Config says what to simulate. The zero value is a domain controller on
// 127.0.0.1, on ports that the kernel chooses, that knows no users.
type Config struct {
	Address   string   // IP address to listen on; default 127.0.0.1
	Addresses []string // further ones, such as one of IPv6: every port is open on each of them
	EPMPort   int      // of the endpoint mapper; 0: any, negative: none
	NSPIPort  int      // 0: any
	MorePorts int      // further, dynamic ports for the same interfaces, as multi-homed servers have
	// ProcessPorts are further, dynamic ports of the same process. The endpoint mapper
	// names one interface of nspi.Process on each, in their order; all can be bound on
	// all of them, and NSPI can.
	ProcessPorts int

	Domain    string // NetBIOS name; default LAB
	DNSDomain string // default lab.test
	Computer  string // NetBIOS name; default DC1
	Users     []User

	Limit         int              // sessions per user; 0: DefaultLimit, negative: no limit
	AnonymousBind bool             // grant NspiBind without authentication instead of LogonFailed
	FailureForm   nspi.FailureForm // of a refused NspiBind

	MaxFragment    uint16 // largest PDU to negotiate, in bytes; 0: 5840
	NoNDR64        bool   // refuse NDR64, as Samba does
	NoMultiplexing bool   // do not agree to several outstanding calls
	NoKeepAlive    bool   // never find out that a silent client has vanished, as Windows does not for hours
	DummyVerifiers bool   // put verifiers on answers at level CONNECT, as some servers do

	// KeepAlive is after how much silence of a client it is asked whether it is
	// still there, and how often it is asked then. 0: as Go does.
	KeepAlive time.Duration

	// Delay tells how long a call waits before it runs, so that answers overtake
	// each other. nil: no call waits.
	Delay func(iface rpcparse.SyntaxID, opnum uint16) time.Duration

	// Refer answers who asks by the referral interface which server to use: with
	// its name, none if it is empty, and the method's return value. dn is whose
	// server is asked for. Default: this server, to everybody.
	Refer func(opnum uint16, dn string) (server string, code uint32)
}

// User is an account.
type User struct {
	Domain   string // default: the server's
	Name     string
	Password string
	SID      string // optional; two accounts with one SID are one user
}

// withDefaults returns c with every default filled in.
func (c Config) withDefaults() Config {
	setDefault(&c.Address, "127.0.0.1")
	setDefault(&c.Domain, "LAB")
	setDefault(&c.DNSDomain, "lab.test")
	setDefault(&c.Computer, "DC1")
	if c.Limit == 0 {
		c.Limit = DefaultLimit
	}
	if c.Refer == nil {
		self := c.Computer + "." + c.DNSDomain
		c.Refer = func(uint16, string) (string, uint32) { return self, 0 }
	}
	users := make([]User, len(c.Users))
	for i, u := range c.Users {
		setDefault(&u.Domain, c.Domain)
		users[i] = u
	}
	c.Users = users
	return c
}

func setDefault(s *string, v string) {
	if *s == "" {
		*s = v
	}
}

// key is what the sessions of u are counted by.
func (u *User) key() string {
	switch {
	case u == nil:
		return Anonymous
	case u.SID != "":
		return u.SID
	}
	return strings.ToLower(u.Domain + `\` + u.Name)
}

// Account returns DOMAIN\name.
func (u *User) Account() string {
	if u == nil {
		return Anonymous
	}
	return u.Domain + `\` + u.Name
}

// find returns the account that a client calls itself by: DOMAIN\user with the
// NetBIOS or DNS name of the domain or none, or user@dns.domain.
func (c *Config) find(domain, name string) *User {
	if i := strings.LastIndexByte(name, '@'); i >= 0 && domain == "" {
		name, domain = name[:i], name[i+1:]
	}
	for i := range c.Users {
		u := &c.Users[i]
		own := domain == "" && strings.EqualFold(u.Domain, c.Domain) ||
			strings.EqualFold(domain, u.Domain) ||
			strings.EqualFold(domain, c.DNSDomain) && strings.EqualFold(u.Domain, c.Domain)
		if own && strings.EqualFold(name, u.Name) {
			return u
		}
	}
	return nil
}

// hash is the account lookup of the security package.
func (c *Config) hash(domain, name string) (ntlm.Hash, bool) {
	u := c.find(domain, name)
	if u == nil {
		return ntlm.Hash{}, false
	}
	return ntlm.NTHash(u.Password), true
}

// delay returns how long a call waits.
func (c *Config) delay(iface rpcparse.SyntaxID, opnum uint16) time.Duration {
	if c.Delay == nil {
		return 0
	}
	return c.Delay(iface, opnum)
}

// addresses returns where to listen.
func (c *Config) addresses() ([]netip.Addr, error) {
	var list []netip.Addr
	for _, text := range append([]string{c.Address}, c.Addresses...) {
		addr, err := netip.ParseAddr(text)
		if err != nil {
			return nil, err
		}
		list = append(list, addr)
	}
	return list, nil
}
