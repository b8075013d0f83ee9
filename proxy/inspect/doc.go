// Package inspect decides on each PDU of one connection: forward it, answer it in
// place of the domain controller, have it wait, or end the connection. It has no
// socket, no logger and no metrics, and builds and runs on every platform: a relay
// feeds it with what arrives, a reader of captures with what was recorded, a test
// with what it makes up.
//
//	deps := &inspect.Deps{Sessions: table, Events: reporter}
//	deps.Settings.Store(inspect.NewSettings(config))
//	i := inspect.New(deps, inspect.Options{Conn: conn, Endpoint: server, Backend: "dc1", Shown: "dc1", RuleName: "dc1"})
//	v := i.FromClient(header, pdu) // in the order in which PDUs arrive
//	v = i.FromServer(header, pdu)
//	i.Close()
//
// # The way of a PDU
//
//	FromClient (inspector.go)
//	  parse         once: header, request or response, verifier             pdu.go
//	  admission     does it await the answer to a handshake?                admission.go
//	  protection    can the server still number its PDUs? open it           protection.go
//	  rewriters     the domain controller's id of an association            groupids.go
//	  conversation  what does it mean?                                      rpcparse
//	  admit         NspiBind: who, which rule, is a slot free               admit.go
//	  finish        protect it again where the receiver's numbers differ    pdu.go
//
//	FromServer (server.go, which says why the order is as it is)
//	  parse, open, follow; rewriters; finish; deferred replies
//
// # Who owns which state
//
//	part         file           state
//	link         link.go        the two ends of the connection, and where events go
//	protection   protection.go  which security contexts are followed with keys, or desynced
//	             security.go    all that is known of one context
//	identity     identity.go    the users that binds are charged to, and the look-up under way
//	             account.go     what a domain controller makes of an NTLM name
//	             ticketnames.go which SID an account has, from tickets; shared, in Deps
//	admission    admission.go   the PDU of the client that waits; fragments of an NspiBind
//	replies      replies.go     answers of the proxy's own, and when they may leave
//	rewriters    rewriter.go    endpoints.go, learner.go, referral.go, groupids.go
//
// What is shared by all connections is in [Deps]; what a reload exchanges is in
// [Settings], behind one atomic pointer. What happens is reported as the values of
// event.go and event_listen.go.
//
// An Inspector is not safe for concurrent use. It does not wait: where something
// has to be awaited (a name in the directory, the answer to a claim, a port that
// is opened) it answers Hold, and calls [Conn.Wake] when [Inspector.Resume] may say
// more.
package inspect
