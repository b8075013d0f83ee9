// Package client is the DCE/RPC client of the project: health checks and the
// endpoint mapper's watchers use it, "nspiproxy probe", the demonstration, the
// tests and the load generator. It speaks what a proxy has to carry: any
// interface, NDR and NDR64, both byte orders, NTLM and Kerberos bare and inside
// SPNEGO at every level, several presentation and security contexts, fragments,
// calls in flight at once. And it lets a test see and send every single PDU.
//
//	c, err := client.Dial(dc.NSPIAddr().String(), client.Options{
//		Security: &client.Security{Level: rpcparse.LevelPrivacy, Domain: "LAB", User: "alice", Password: "Secret.123"},
//	})
//	...
//	h, err := c.NspiBind()
//	...
//	err = c.NspiUnbind(h)
//
// Calls in flight: send several with [Conn.Send], take their answers in any
// order with [Conn.Receive]; [Conn.Answered] tells in which order they came.
//
// One layer down are [Conn.Write] and [Conn.ReadPDU], and below them
// [Conn.TCP]. A Conn belongs to one goroutine and has none of its own.
//
// # Hostile servers
//
// What a server sends is framed and parsed by package rpcparse and counted
// against the budgets in limits.go. Levels packet and above verify every
// signature, and take no answer without one. Every wait ends after
// [Conn.Timeout], or with a context:
//
//	err := c.Within(ctx, func() error { ... })
//
// A [Mapper] asks an endpoint mapper again and again over one standing
// connection, and notices its end at once.
//
//	conn.go       connecting, closing, reading and writing PDUs
//	stream.go     bytes in, PDUs out
//	within.go     the end of a context ends what waits
//	bind.go       what is offered
//	handshake.go  bind, alter_context, auth3, and what came of them
//	security.go   one security context: levels, protection of requests
//	spnego.go     its tokens, bare or inside SPNEGO
//	mechanism.go  NTLM and Kerberos
//	call.go       requests in fragments
//	answer.go     responses put together and verified
//	nspi.go, rfri.go, endpoint.go   calls of three interfaces
//	mapper.go     the standing connection to an endpoint mapper
package client
