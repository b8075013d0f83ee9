package inspect

import (
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"github.com/nspiproxy/nspiproxy/policy"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx"
	"github.com/nspiproxy/nspiproxy/session"
)

// user is the user that an NspiBind is charged to.
type user struct {
	id        session.Identity
	key       string      // id.Key()
	name      policy.Name // for rules
	groups    []string    // SIDs; nil: unknown
	unread    string      // with AssuranceUnreadable: why
	lookupErr error       // the directory could not be asked
}

// proven reports whether nothing about the user is a mere claim of the client.
func (u *user) proven(s *rpcparse.SecurityContext) bool {
	return u.id.Assurance < session.AssuranceClaimed || s.Accepted()
}

func (u *user) subject(client netip.Addr, backend string) policy.Subject {
	return policy.Subject{
		SID: u.id.SID, Groups: u.groups, Account: u.name, Client: client, Backend: backend,
		Assurance: policy.Assurance(u.id.Assurance.String()),
	}
}

// identity owns who the users of a connection's security contexts are.
type identity struct {
	unauthenticated *user   // of calls without a security context
	caller          uint32  // of the same, see session.Conn.NewCaller
	lookup          *lookup // in the directory, for the bind that waits
}

// lookup is a question to the directory that a connection waits for.
type lookup struct {
	account string
	answer  atomic.Pointer[Answer]
}

// userOf names the user of a security context as far as it is known: the SID of
// a ticket that the server has accepted, the NTLM account and its SID, or else the
// client's network. ok is false while the directory is asked; the connection is
// woken then. A context whose client has said who it is keeps its user, so that
// binds and unbinds are counted for the same one.
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
	u := &user{id: i.nameless(session.AssuranceAddress)}
	u.key = u.id.Key()
	return u
}

// nameless returns the identity of a user without a name.
func (i *Inspector) nameless(a session.Assurance) session.Identity {
	client := i.client()
	return session.Identity{Assurance: a, Address: client, Network: i.deps.Settings.Load().Networks.Of(client)}
}

// identify finds out who a security context is of, for userOf. What the server has
// not accepted, and what it may have read and the proxy has not, is no name.
func (i *Inspector) identify(s *rpcparse.SecurityContext) (u *user, ok bool) {
	if t, ok := ticketOf(s); ok {
		return i.ticketUser(t), true
	}
	if why, ok := unreadOf(s); ok {
		return &user{id: i.nameless(session.AssuranceUnreadable), unread: why.Result.String()}, true
	}
	if !s.HasUser() {
		return &user{id: i.nameless(session.AssuranceAddress)}, true
	}
	return i.namedUser(s)
}

// ticketUser returns the user of a ticket that the server has accepted.
func (i *Inspector) ticketUser(t *secctx.Identity) *user {
	i.deps.tickets.learn(t, time.Now())
	if !t.Foreign {
		i.deps.own.learn(i.backend, Domain{NetBIOS: t.Domain, DNS: t.DNSDomain})
	}
	return i.knownUser(session.AssuranceVerified, t)
}

func (i *Inspector) knownUser(a session.Assurance, t *secctx.Identity) *user {
	id := i.nameless(a)
	id.SID, id.Account = t.SID, session.Account{Domain: t.Domain, User: t.User}
	return &user{id: id, groups: t.Groups, name: policy.Name{Domain: t.Domain, DNSDomain: t.DNSDomain, User: t.User, UPN: t.UPN}}
}

// namedUser returns the user of an NTLM name.
func (i *Inspector) namedUser(s *rpcparse.SecurityContext) (u *user, ok bool) {
	trusted := i.deps.Settings.Load().Domains
	own := i.deps.own.of(i.backend, s.Server)
	i.deps.own.learn(i.backend, own)
	if i.deps.Directory == nil {
		return i.claimedUser(nameOf(s, own, trusted)), true
	}
	known, had := i.deps.Directory.Domains()
	n := nameOf(s, own, slices.Concat(trusted, known))
	a, ok := i.identity.ask(i.deps.Directory, n.question(), i.conn.Wake)
	if !ok {
		return nil, false
	}
	if known, now := i.deps.Directory.Domains(); now && !had {
		// With the first answer it is known which domains there are.
		read := nameOf(s, own, slices.Concat(trusted, known))
		if read.question() != n.question() {
			return i.namedUser(s)
		}
		n = read
	}
	u = i.claimedUser(n)
	u.applyLookup(a)
	return u, true
}

// claimedUser returns the user of a name that is not looked up: the one that a ticket
// has named so, if there was one. A user principal name is that of the account that
// has it before it is the name of an account with its domain (MS-ADTS 5.1.1.1.1).
func (i *Inspector) claimedUser(n accountName) *user {
	now := time.Now()
	var t *secctx.Identity
	if n.upn != "" {
		t = i.deps.tickets.find(session.Account{Domain: n.account.Domain, User: n.upn}, now)
	}
	if t == nil {
		t = i.deps.tickets.find(n.account, now)
	}
	if t != nil {
		return i.knownUser(session.AssuranceResolved, t)
	}
	u := &user{id: i.nameless(session.AssuranceClaimed), name: n.forRules()}
	u.id.Account = n.account
	return u
}

// isUser reports whether a security context that the server has accepted is of a
// user, known or not. A ticket that no key opens is a user's: after a change of the
// domain controller's password the keytab is behind for a while, and connections
// must not be ended for that.
func isUser(s *rpcparse.SecurityContext) bool {
	if s.Presented != rpcparse.PresentedTicket {
		return s.HasUser()
	}
	h := handshakeOf(s)
	if h == nil || !h.Keyed() {
		return true
	}
	_, known := h.Identity()
	why, _ := h.Unread()
	return known || why.Result.LacksKey()
}

// userOfCall names the user of a call, as userOf does. A call that servers may take
// for one under any of several contexts is of their user, if they have one.
func (i *Inspector) userOfCall(k *rpcparse.Call) (u *user, ok bool) {
	if len(k.Among) == 0 {
		return i.userOf(k.Security)
	}
	for _, s := range k.Among {
		one, ok := i.userOf(s)
		if !ok {
			return nil, false
		}
		if u != nil && u.key != one.key {
			u = &user{id: i.nameless(session.AssuranceUnreadable), unread: secctx.Unproven.String()}
			u.key = u.id.Key()
			return u, true
		}
		u = one
	}
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
		u.id.Assurance, u.id.SID, u.groups, u.name = session.AssuranceResolved, a.SID, a.Groups, a.Name
		u.id.Account = session.Account{Domain: a.Name.Domain, User: a.Name.User}
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
