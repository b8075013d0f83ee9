package inspect

import (
	"net/netip"
	"sync/atomic"

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
	Current() secctx.Keys
}

// Directory turns account names into SIDs. Its methods do not wait.
type Directory interface {
	// Cached returns what is remembered of an account name; ok is false if
	// nothing is.
	Cached(account string) (a Answer, ok bool)
	// Resolve asks the directory and calls done from any goroutine.
	Resolve(account string, done func(Answer))
}

// Answer is what a [Directory] says of an account name.
type Answer struct {
	Found   bool
	SID     string   // "S-1-5-21-..."
	Groups  []string // SIDs of its groups; nil: the directory would not tell
	Account string   // the one spelling to show: DOMAIN\user
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
}

// NewSettings reads the settings of a valid configuration.
func NewSettings(c *policy.Config) *Settings {
	form := nspi.FormSpec
	if c.Policy.Refusal.Form == policy.FormEcho {
		form = nspi.FormEcho
	}
	return &Settings{
		Policy:   policy.New(c.Policy),
		Refusal:  Refusal{Form: form, FaultStatus: uint32(c.Policy.Refusal.FaultStatus)},
		Scope:    c.Policy.Scope,
		WhenDown: c.Identity.Directory.WhenDown,
	}
}

// scopeOf returns the name under which users of a domain controller are counted.
func (s *Settings) scopeOf(backend string) string {
	if s.Scope == policy.ScopeAll {
		return string(policy.ScopeAll)
	}
	return backend
}
