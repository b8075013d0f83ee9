package inspect

import (
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/nspiproxy/nspiproxy/policy"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx"
	"github.com/nspiproxy/nspiproxy/session"
)

// Conn is what an [Inspector] needs of the connection whose PDUs it decides on.
// A relay's connection is one; so is a capture's.
type Conn interface {
	// Client returns who the client is.
	Client() netip.AddrPort
	// SetMaxFragment tells the largest fragment, in bytes, agreed for a direction.
	SetMaxFragment(d rpcparse.Direction, n int)
	// HandshakeDone tells that the first bind was accepted.
	HandshakeDone()
	// AwaitSession has the connection ended when its client is silent for long and
	// [Inspector.Sessionless] then.
	AwaitSession()
	// Keeps tells how many bytes the inspector keeps of what the peers have sent, and
	// whether a part of it waits for a client to go on.
	Keeps(bytes int, unfinished bool)
	// End ends the connection on both sides. It may be called from any goroutine and
	// does not wait.
	End(why error)
	// Wake has the PDUs that wait decided again by [Inspector.Resume]. It may be
	// called from any goroutine and does not wait.
	Wake()
}

// Limiter counts sessions. [session.Table] is one.
type Limiter interface {
	Open(client netip.AddrPort, scope, backend, endpoint string) *session.Conn
}

// KeySource has the keys of this moment.
type KeySource interface {
	// Current returns those for connections to a domain controller, by its name in
	// events.
	Current(server string) secctx.Keys
}

// Directory turns account names into SIDs. Its methods do not wait.
type Directory interface {
	// Cached returns what is remembered of an account name; ok is false if
	// nothing is.
	Cached(account string) (a Answer, ok bool)
	// Resolve asks the directory and calls done from any goroutine.
	Resolve(account string, done func(Answer))
	// Domains returns the domains that the directory knows; ok is false as long as it
	// has not been asked. The list must not be changed.
	Domains() (list []Domain, ok bool)
}

// Answer is what a [Directory] says of an account name.
type Answer struct {
	Found  bool
	SID    string   // "S-1-5-21-..."
	Groups []string // SIDs of its groups; nil: the directory would not tell
	Name   policy.Name
	// Down says that the directory could not be asked, and why.
	Down error
}

// Deps are what all inspectors of a server share.
type Deps struct {
	// Settings must be stored before the first inspector is made.
	Settings atomic.Pointer[Settings]
	Sessions Limiter
	// Keys is nil where no keytab is configured, and Directory where there is none.
	Keys      KeySource
	Directory Directory
	Events    Events
	// After calls a function on any goroutine when a time is over. Nil: the clock's.
	After func(time.Duration, func())

	tickets ticketNames
	own     ownDomains
}

// Settings are what a reload of the configuration exchanges: all of it in one
// step. A [Settings] that is in use never changes.
type Settings struct {
	Policy  *policy.Policy
	Refusal Refusal
	// Scope says over which domain controllers a user's sessions are counted.
	Scope policy.Scope
	// WhenDown says what becomes of binds while the directory does not answer.
	WhenDown policy.WhenDown
	// Domains are those that the domain controllers trust, as configured.
	Domains []Domain
	// Unreadable says what becomes of binds of users who could not be read.
	Unreadable policy.Unreadable
	// Networks say by what users without a name are counted.
	Networks policy.Networks
}

// NewSettings reads the settings of a valid configuration.
func NewSettings(c *policy.Config) *Settings {
	form := nspi.FormSpec
	if c.Policy.Refusal.Form == policy.FormEcho {
		form = nspi.FormEcho
	}
	s := &Settings{
		Policy:     policy.New(c.Policy),
		Refusal:    Refusal{Form: form, FaultStatus: uint32(c.Policy.Refusal.FaultStatus)},
		Scope:      c.Policy.Scope,
		WhenDown:   c.Identity.Directory.WhenDown,
		Unreadable: c.Identity.Unreadable,
		Networks:   c.Identity.Networks,
	}
	for _, d := range c.Identity.Domains {
		s.Domains = append(s.Domains, Domain{string(d.NetBIOS), string(d.DNS)})
	}
	return s
}

// scopeOf returns the name under which users of a domain controller are counted.
func (s *Settings) scopeOf(backend string) string {
	if s.Scope == policy.ScopeAll {
		return string(policy.ScopeAll)
	}
	return backend
}
