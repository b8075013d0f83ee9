// Package session counts the live NSPI sessions of every user, on each domain
// controller or on several together, and takes part in granting them, so that a
// limit holds at every moment.
//
// It is pure: no sockets, no timers, no logger; the clock is handed in. The caller
// calls a [Table] for what happens on the wire, and does what it answers:
//
//	conn := table.Open(client, scope, backend, endpoint) // TCP connection
//	conn.EndWith(end)                                    // what ends it, see Strangers
//	err := conn.MayJoin(bind.AssocGroupID)               // bind, before it is forwarded
//	err = conn.Join(ack.AssocGroupID)                    // bind_ack
//	conn.Vouch()                                         // the server has accepted its user
//	slot, usage, outcome := conn.Reserve(request)        // NspiBind, before it is forwarded
//	slot.Commit(handle)                                  // its answer: granted,
//	slot.Release()                                       // or refused, or a fault
//	conn.Unbound(handle)                                 // NspiUnbind has succeeded,
//	conn.HandleUnknown(handle, caller)                   // or the server does not know the handle
//	conn.Close()                                         // TCP connection is gone
//
// # Slots
//
// A slot is one session of a user's quota. A request that waits has none until it
// is woken; then one is reserved for it.
//
//	state                  event                                     next state
//	-                      Reserve, below the limit                  reserved (proven, or provisional)
//	reserved, provisional  Prove: the name was accepted              reserved, proven
//	reserved, provisional  unanswered for ClaimTimeout               reserved, stale
//	reserved, stale        Prove                                     reserved, proven
//	reserved (any)         Commit with a handle, CommitOpaque        held
//	reserved (any)         Commit with the NULL handle, Release      released
//	reserved (any)         Conn.Close, its association lives on      held, unanswered
//	reserved (any)         Conn.Close, otherwise                     released
//	held                   Conn.Unbound, UnboundOpaque               released (unbind)
//	held                   last connection of the association gone   released (run down)
//	held                   association id given anew                 released (run down)
//	held                   Conn.HandleUnknown by the same caller     released (lost by the server)
//	held                   same handle granted again                 released (lost by the server)
//	held, unanswered       only: run down, as above                  released
//	released               anything                                  released
//
// An event that a state does not list changes nothing: a Release of a held
// slot, a Commit after the connection has closed, an unbind that comes twice,
// an unknown handle, a HandleUnknown of another caller, any method of a nil Slot.
// Canceled and orphaned calls are
// no events: the domain controller may still grant the session.
//
// # Users
//
// A slot is charged to an [Identity]: to its SID if that is known, else to its
// account, else to the network of the client, which is its address or, as the
// caller configures, a prefix of it. What is known is the [Assurance]. Users who
// could not be read and those who have no name share the count of their network.
// Names are compared in parts and as Active Directory compares them.
//
// # Callers
//
// A domain controller that is asked to end a session says that it does not know
// the handle in two cases: the session has ended, or it lives and was made under
// another security context (fault context_mismatch, MS-RPCE 3.1.1.5.5). A session that
// may live is counted. So the caller numbers the security contexts
// ([Conn.NewCaller]), each slot notes the one that it was reserved under, and only
// an answer to the same one ends its session. A session whose context is gone is
// counted until its association ends.
//
// # Scopes and backends
//
// A user's slots are counted in a scope, which is one backend (a domain
// controller counts for itself) or several together: the caller names both for
// each connection. Associations, loads ([Table.Load]) and listed sessions are of
// the backend; users and their limits are of the scope. A backend is known for as
// long as there is a connection to it or a session on it.
//
// # Associations
//
// Sessions belong to associations, not to connections: an association is known
// by the backend, its endpoint and the id in its bind_ack,
// and it lives until the last of its connections is closed. A connection counts
// from its bind on, until [Conn.JoinRefused] or its end.
//
// When a connection is lost with an NspiBind in flight, and its association has
// others, the domain controller may grant the session all the same. The client
// does not learn its handle, so it cannot unbind it. The table therefore counts
// it, unanswered, until the association ends: it rather counts a session too many
// than one too few. If it was reserved under a claim, it is charged to the
// client's network and not to the name.
//
// # Strangers
//
// A domain controller lets any client of the same address join an association,
// and the sessions in it live for as long as one connection does. So a client
// behind the same address could keep another's sessions alive, and use up his
// limit. A connection counts as its user's once the domain controller has accepted
// a user on it ([Conn.Vouch]). An association that holds a session of a user with
// a name, and whose last such connection has closed, is abandoned: after
// [StrangerTime] the connections that are left are ended, with what
// [Conn.EndWith] was given, and the sessions end with them. A connection that
// joins or proves its user before that takes the association over. [Table.Expire]
// looks at what is abandoned.
//
// # Claims
//
// The name in an NTLM message is a claim until the domain controller has
// accepted it. A reservation under a claim is provisional. With held and proven
// slots together called proven:
//
//	proven >= limit                            refused
//	proven + provisional in flight >= limit    wait until these are answered
//	otherwise                                  reserved
//
// So no claim ever gets a request refused, and the limit is not exceeded if all
// of them turn out to be true. A provisional reservation makes others wait like
// this:
//
//	the claim is                                     requests that wait for it
//	in flight for less than ClaimTimeout             all of its name
//	stale: in flight for longer                      those from its own network
//	of a lost connection whose association lives on  those from its own network
//	answered, or its association has ended           none
//
// Stale claims and those of lost connections are the unresolved claims of a user.
//
// Requests that wait are served in this order: those with a proven name first,
// and no further claim is let in before them, so that they wait for one answer of
// the domain controller; then the others in order of arrival, networks of clients
// in turns. No request waits longer than [WaitTimeout]: then it is decided by what is
// proven, as if there were no claims. [Table.Expire] wakes it, and those whose
// claims have become stale.
//
// A limit can therefore be exceeded by true claims in two ways: if they come from
// different networks and are unanswered for ClaimTimeout, and if they have
// waited for WaitTimeout. Both need a client that holds the answers back for
// seconds: a domain controller answers within milliseconds, and its own limit
// still holds.
//
// Waiting requests are bounded by the connections, which have one at most.
// There is no smaller bound, because it could only be kept by refusing: a client
// that fills the queue with claims of a name would lock out its owner.
//
// # Where to change what
//
//	identity.go     what a session is charged to
//	join.go         which connections may join an association; its end
//	stranger.go     connections that keep alive what is not theirs
//	association.go  which sessions an association has
//	reserve.go      the limit
//	waiter.go       waiting for claims; queue.go whose turn it is
//	slot.go         what the domain controller's answers do
//	lifecycle.go    all bookkeeping of slots
//	controller.go   backends and their loads
//	user.go         users and clients; registry.go their history
//	listing.go      what administrators see
//	touch.go        idle times
package session
