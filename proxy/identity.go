package proxy

import (
	"errors"
	"net/netip"
	"slices"
	"sync/atomic"

	"github.com/nspiproxy/nspiproxy/policy"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx"
	"github.com/nspiproxy/nspiproxy/session"
	"github.com/nspiproxy/nspiproxy/session/directory"
)

// user is whom an NspiBind is charged to.
type user struct {
	security *rpcparse.SecurityContext // nil: not authenticated
	id       session.Identity
	groups   []string // SIDs; nil: unknown
	unsure   string   // the directory could not be asked, and what it said
}

// proven reports whether nothing about the user is a mere claim of the client.
func (u *user) proven() bool {
	return u.id.Assurance == session.AssuranceAddress || u.security.Accepted()
}

func (u *user) subject(client netip.Addr, backend string) policy.Subject {
	return policy.Subject{SID: u.id.SID, Groups: u.groups, Account: u.id.Account, Client: client, Backend: backend}
}

// userOf names the user of a security context as far as it is known: the SID
// of a ticket, the NTLM account and its SID, or else the client's address. ok is
// false while the directory is asked; the connection is woken then. A context
// whose client has said who it is keeps its user, so that binds and unbinds are
// counted for the same one.
func (i *inspector) userOf(s *rpcparse.SecurityContext) (u *user, ok bool) {
	for n := range i.users {
		if i.users[n].security == s {
			return i.users[n], true
		}
	}
	if u, ok = i.recognise(s); ok && s.Settled() {
		i.forgetRefused()
		i.users = append(i.users, u)
	}
	return u, ok
}

// forgetRefused makes room: of users the connection knows at most one for each
// of its security contexts, and a few whose contexts were refused.
func (i *inspector) forgetRefused() {
	if len(i.users) < 2*i.conv.SecurityContexts()+8 {
		return
	}
	i.users = slices.DeleteFunc(i.users, func(u *user) bool { return u.security.Refused() })
}

// forgetUser makes the next call of userOf find out anew.
func (i *inspector) forgetUser(u *user) {
	i.users = slices.DeleteFunc(i.users, func(other *user) bool { return other == u })
	i.key, i.keySecurity = "", nil
}

func (i *inspector) recognise(s *rpcparse.SecurityContext) (*user, bool) {
	u := &user{security: s, id: session.Identity{Assurance: session.AssuranceAddress, Address: i.client()}}
	if t, ok := ticketOf(s); ok {
		u.id.Assurance, u.id.SID, u.id.Account, u.groups = session.AssuranceVerified, t.SID, t.Account, t.Groups
		return u, true
	}
	if !s.HasUser() {
		return u, true
	}
	u.id.Assurance, u.id.Account = session.AssuranceClaimed, s.Account()
	if i.server.directory == nil {
		return u, true
	}
	return u, i.resolve(u)
}

// ticketOf returns what the verified ticket of a security context says.
func ticketOf(s *rpcparse.SecurityContext) (*secctx.Identity, bool) {
	if s == nil {
		return nil, false
	}
	h, ok := s.Handshake.(*secctx.Handshake)
	if !ok {
		return nil, false
	}
	return h.Identity()
}

// lookup is a question to the directory that a connection waits for.
type lookup struct {
	account string
	answer  atomic.Pointer[answer]
}

type answer struct {
	result directory.Result
	err    error
}

// resolve turns the claimed account into a SID. It returns false while the
// directory is asked.
func (i *inspector) resolve(u *user) bool {
	account := u.id.Account
	if i.lookup == nil || i.lookup.account != account {
		if r, found, ok := i.server.directory.Cached(account); ok {
			u.know(r, found)
			return true
		}
		q := &lookup{account: account}
		i.lookup = q
		wake := i.conn.Wake
		i.server.directory.Resolve(account, func(r directory.Result, err error) {
			q.answer.Store(&answer{result: r, err: err})
			wake()
		})
	}
	a := i.lookup.answer.Load()
	if a == nil {
		return false
	}
	i.lookup = nil
	if errors.Is(a.err, directory.ErrDown) {
		u.unsure = a.err.Error()
		i.server.recorder.note("directory.down", i.backend(), "the directory does not answer: "+u.unsure)
		return true
	}
	u.know(a.result, a.err == nil)
	return true
}

// know takes the directory's answer. An account that it does not know stays a
// claim.
func (u *user) know(r directory.Result, found bool) {
	if found {
		u.id.Assurance, u.id.SID, u.id.Account, u.groups = session.AssuranceResolved, r.SID, r.Account, r.Groups
	}
}
