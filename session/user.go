package session

import (
	"net/netip"
	"time"
)

// tally is what users and clients have in common: their sessions, and how many
// were granted and unbound.
type tally[L linker[Slot]] struct {
	held    list[Slot, L] // oldest first
	binds   uint64        // sessions granted
	unbinds uint64        // sessions that ended by NspiUnbind
	active  time.Duration // of the table's clock: last grant or end of a session
}

// userKey names a user in one scope: a backend, as a domain controller counts for
// itself, or several that are counted together.
type userKey struct {
	scope string
	name  string // Identity.Key
}

// user is all that is known of one user in one scope. The record exists while the
// user has a slot, a waiting request or an unresolved claim, and afterwards as
// history if it ever had a session.
type user struct {
	member[user]
	tally[byUser]
	table    *Table
	key      userKey
	identity Identity // its Key is key.name

	reserved         int                // proven reservations
	claims           list[Slot, byUser] // provisional reservations that requests from any address wait for, oldest first
	stale            int                // provisional reservations that requests from their own address alone wait for
	unresolvedClaims map[netip.Addr]int // by place (see Conn), whose requests wait for them: stale claims, and those of lost connections
	queues           [2]queue
}

// proven returns the slots that count against everybody.
func (u *user) proven() int { return u.held.n + u.reserved }

// named reports whether u is known by name or SID. It never changes.
func (u *user) named() bool { return u.identity.Assurance >= AssuranceClaimed }

// usage returns the slots of u; u may be nil.
func (u *user) usage() Usage {
	if u == nil {
		return Usage{}
	}
	return Usage{Held: u.held.n, Reserved: u.reserved, Provisional: u.claims.n + u.stale}
}

// visible reports whether u has a slot or a request that waits.
func (u *user) visible() bool { return u.usage() != Usage{} || u.waiting() > 0 }

// inUse reports whether u is more than history.
func (u *user) inUse() bool { return u.visible() || len(u.unresolvedClaims) > 0 }

// addUnresolved adds n to the unresolved claims from a place.
func (u *user) addUnresolved(addr netip.Addr, n int) {
	if u.unresolvedClaims == nil {
		u.unresolvedClaims = make(map[netip.Addr]int)
	}
	if u.unresolvedClaims[addr] += n; u.unresolvedClaims[addr] == 0 {
		delete(u.unresolvedClaims, addr)
	}
}

// client is everything that comes from one address.
type client struct {
	member[client]
	tally[byClient]
	addr netip.Addr
}

// users and clients are the registries of a table.
type (
	users   = registry[userKey, user, userMembers]
	clients = registry[netip.Addr, client, clientMembers]
)

type userMembers struct{}

func (userMembers) of(u *user) *links[user]      { return &u.age }
func (userMembers) member(u *user) *member[user] { return &u.member }
func (userMembers) key(u *user) userKey          { return u.key }

type clientMembers struct{}

func (clientMembers) of(c *client) *links[client]      { return &c.age }
func (clientMembers) member(c *client) *member[client] { return &c.member }
func (clientMembers) key(c *client) netip.Addr         { return c.addr }

// newUser makes the record of key, which must have none. The caller takes a slot
// for it before it releases the lock.
func (t *Table) newUser(key userKey, id Identity) *user {
	u := &user{table: t, key: key, identity: id}
	t.users.add(u)
	return u
}

// clientOf returns the record of c's client, made if there is none. The caller
// gives it a session before it releases the lock.
func (c *Conn) clientOf() *client {
	if c.client != nil && c.client.index >= 0 {
		return c.client
	}
	t := c.table
	if c.client = t.clients.byKey[c.addr]; c.client == nil {
		c.client = &client{addr: c.addr}
		t.clients.add(c.client)
	}
	return c.client
}

// settle ends every operation that has changed u: it wakes the requests that can be
// decided now, and archives u if nothing is left.
func (t *Table) settle(u *user) {
	if u.waiting() > 0 {
		t.expireClaims(u)
		t.admit(u)
	}
	if !u.inUse() {
		t.users.archive(u, u.binds > 0)
	}
}
