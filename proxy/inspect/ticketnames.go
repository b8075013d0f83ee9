package inspect

import (
	"sync"
	"time"

	"github.com/nspiproxy/nspiproxy/rpcparse/secctx"
	"github.com/nspiproxy/nspiproxy/session"
)

// ticketNames remembers which SID an account has, from tickets that domain
// controllers have accepted. A user who logs on with Kerberos and with NTLM is one
// user by that, also where there is no directory. The zero value is ready.
type ticketNames struct {
	mu    sync.Mutex
	known map[string]ticketName // by key of the account
}

type ticketName struct {
	who   *secctx.Identity
	until time.Time
}

// How many names are remembered, and for how long: as many and as long as a
// directory's, because an account may be renamed and its name given to another.
const (
	maxTicketNames = 10000
	ticketNameTTL  = time.Hour
)

func ticketNameKey(a session.Account) string {
	return session.Identity{Assurance: session.AssuranceClaimed, Account: a}.Key()
}

// learn remembers an accepted ticket under its account and its user principal name.
// What another realm says is not remembered: its KDC could give its users the names
// of others. Nothing keeps one kind of name from looking like the other, and so like
// that of another account: only what has an @ is a user principal name.
func (n *ticketNames) learn(t *secctx.Identity, now time.Time) {
	if t.Foreign {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.known == nil {
		n.known = make(map[string]ticketName)
	}
	for kind, user := range [...]string{t.User, t.UPN} {
		_, _, principal := cutSuffix(user)
		if user == "" || t.Domain == "" || principal != (kind == 1) {
			continue
		}
		if len(n.known) >= maxTicketNames {
			for key := range n.known { // any: those in use are learnt again
				delete(n.known, key)
				break
			}
		}
		n.known[ticketNameKey(session.Account{Domain: t.Domain, User: user})] = ticketName{t, now.Add(ticketNameTTL)}
	}
}

// find returns the user that a ticket has named by that account, or nil.
func (n *ticketNames) find(a session.Account, now time.Time) *secctx.Identity {
	n.mu.Lock()
	defer n.mu.Unlock()
	key := ticketNameKey(a)
	t, ok := n.known[key]
	if ok && now.After(t.until) {
		delete(n.known, key)
		return nil
	}
	return t.who
}
