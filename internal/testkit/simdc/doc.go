// Package simdc is a simulated domain controller for tests and for the
// demonstration: an endpoint mapper and an NSPI server that behave towards
// their clients as real ones do, down to what a proxy in between has to get
// right.
//
//	dc, err := simdc.Start(simdc.Config{
//		Address: "127.0.10.10",
//		Users:   []simdc.User{{Domain: "LAB", Name: "alice", Password: "Secret.123"}},
//	})
//	...
//	defer dc.Close()
//	dc.Sessions() // map[LAB\alice:3]
//
// It judges the proxy, so of this module it uses package rpcparse alone, and
// its sessions are counted by its own, plainest means. It is ordinary blocking
// Go: a goroutine per connection, one more per call where the client
// multiplexes.
//
// A PDU travels through the files like this:
//
//	listener.go   accepts connections for one endpoint, ends them
//	conn.go       reads, frames, dispatches by PDU type
//	bind.go       bind, alter_context, auth3: contexts.go, security.go
//	request.go    verifies, decrypts, reassembles
//	call.go       waits, runs the service, answers
//	respond.go    splits, protects, writes
//
// and a service is one interface: epm.go, nspi.go (its table of people in
// addressbook.go), rfri.go, echo.go. State that outlives a
// connection is in association.go and sessions.go; peers.go tells who is
// connected.
//
// What it does as Windows does: NDR64 where offered; bind-time features;
// associations that are joined by id from the same address and run down with
// their last connection; handles that are known on all connections of an
// association and fault context_mismatch elsewhere; LogonFailed for unproven
// users and over the limit of 50 sessions per user; fault 5 for the first
// request after a failed handshake; fault 0x721 and the end of the connection
// for a PDU with the wrong signature or number. What it does not know: Kerberos,
// RPC over HTTP, named pipes.
package simdc
