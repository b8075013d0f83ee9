// Package epm asks an endpoint mapper where an interface is, over one standing
// TCP connection, as the proxy itself: it sees the ports of NSPI when no client
// has asked for them yet, and again when they have changed.
//
//	c, err := epm.Dial(ctx, addr)               // connects and binds
//	ports, err := c.Map(ctx, nspi.Interface)    // [49670 49678]; again and again
//	err = c.Idle(ctx, 500*time.Millisecond)     // waits, and notices the end of the connection at once
//	c.Close()
//
// It binds without security in NDR, which every endpoint mapper takes (handbook
// 6.1, 6.3), has one call outstanding at a time, and follows the entry handle of
// an answer that had no room for everything.
//
// The server is as hostile as any other peer: what it sends is framed and
// parsed by package rpcparse, and counted against the limits in limits.go. A
// Client that failed in any way but [ErrNotRegistered] has lost its place in the
// stream or its belief in the server: it is closed, and every later call says
// so. Who wants to go on dials again.
//
// Every wait ends when its context does, and after [DefaultTimeout] where the
// context has no deadline.
//
//	client.go    connecting, closing, deadlines
//	bind.go      the handshake
//	map.go       ept_map and its continuation
//	call.go      one request, its answer put together from fragments
//	stream.go    bytes in, PDUs out
package epm
