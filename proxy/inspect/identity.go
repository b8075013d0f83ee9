package inspect

import (
	"net/netip"
	"sync/atomic"

	"github.com/nspiproxy/nspiproxy/policy"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/session"
)

// user is the user that an NspiBind is charged to.
type user struct {
	id        session.Identity
	key       string   // id.Key()
	groups    []string // SIDs; nil: unknown
	lookupErr error    // the directory could not be asked
}

// proven reports whether nothing about the user is a mere claim of the client.
func (u *user) proven(s *rpcparse.SecurityContext) bool {
	return u.id.Assurance == session.AssuranceAddress || s.Accepted()
}

func (u *user) subject(client netip.Addr, backend string) policy.Subject {
	return policy.Subject{SID: u.id.SID, Groups: u.groups, Account: u.id.Account, Client: client, Backend: backend}
}

// identity owns who the users of a connection's security contexts are.
type identity struct {
	unauthenticated *user   // of calls without a security context
	lookup          *lookup // in the directory, for the bind that waits
}

// lookup is a question to the directory that a connection waits for.
type lookup struct {
	account string
	answer  atomic.Pointer[Answer]
}

// userOf names the user of a security context as far as it is known: the SID of
// a ticket, the NTLM account and its SID, or else the client's address. ok is
// false while the directory is asked; the connection is woken then. A context
// whose client has said who it is keeps its user, so that binds and unbinds are
// counted for the same one.
func (i *Inspector) userOf(s *rpcparse.SecurityContext) (u *user, ok bool) {
	if s == nil {
		if i.identity.unauthenticated == nil {
			i.identity.unauthenticated = i.addressUser()
		}
		return i.identity.unauthenticated, true
	}
	state := i.protection.stateOf(s)
	if state.user != nil {
		return state.user, true
	}
	if u, ok = i.identify(s); ok {
		u.key = u.id.Key()
		if s.Settled() {
			state.user = u
		}
	}
	return u, ok
}

// forgetUser makes the next call of userOf find out anew.
func (i *Inspector) forgetUser(s *rpcparse.SecurityContext) {
	if s != nil {
		i.protection.stateOf(s).user = nil
	}
}

// addressUser returns a user of which only the client's address is known.
func (i *Inspector) addressUser() *user {
	u := &user{id: session.Identity{Assurance: session.AssuranceAddress, Address: i.client()}}
	u.key = u.id.Key()
	return u
}

func (i *Inspector) identify(s *rpcparse.SecurityContext) (u *user, ok bool) {
	u = &user{id: session.Identity{Assurance: session.AssuranceAddress, Address: i.client()}}
	if t, ok := ticketOf(s); ok {
		u.id.Assurance, u.id.SID, u.id.Account, u.groups = session.AssuranceVerified, t.SID, t.Account, t.Groups
		return u, true
	}
	if !s.HasUser() {
		return u, true
	}
	u.id.Assurance, u.id.Account = session.AssuranceClaimed, s.Account()
	if i.deps.Directory == nil {
		return u, true
	}
	a, ok := i.identity.ask(i.deps.Directory, u.id.Account, i.conn.Wake)
	if !ok {
		return nil, false
	}
	if a.Down != nil {
		i.report(DirectoryDown{Source: i.source(), Err: a.Down})
	}
	u.applyLookup(a)
	return u, true
}

// ask returns what the directory says of an account. ok is false while it is
// asked; wake is called then.
func (d *identity) ask(names Directory, account string, wake func()) (a *Answer, ok bool) {
	if d.lookup == nil || d.lookup.account != account {
		if a, ok := names.Cached(account); ok {
			return &a, true
		}
		q := &lookup{account: account}
		d.lookup = q
		names.Resolve(account, func(a Answer) {
			q.answer.Store(&a)
			wake()
		})
	}
	if a = d.lookup.answer.Load(); a == nil {
		return nil, false
	}
	d.lookup = nil
	return a, true
}

// applyLookup takes the directory's answer. An account that it does not know
// stays a claim.
func (u *user) applyLookup(a *Answer) {
	u.lookupErr = a.Down
	if a.Found {
		u.id.Assurance, u.id.SID, u.id.Account, u.groups = session.AssuranceResolved, a.SID, a.Account, a.Groups
	}
}

// keyOf returns what sessions of a security context are counted by; empty while
// its user is looked up, for nothing is counted for it yet.
func (i *Inspector) keyOf(s *rpcparse.SecurityContext) string {
	u, ok := i.userOf(s)
	if !ok {
		return ""
	}
	return u.key
}
