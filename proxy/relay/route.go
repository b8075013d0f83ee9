package relay

import "net/netip"

// ListenOptions say where a [Group] accepts clients and what it must know of one
// before it asks where to connect to.
type ListenOptions struct {
	// Address to listen on. Port 0 takes a free one (Listener.Addr tells).
	Address netip.AddrPort
	// Transparent accepts connections to any address that the kernel's tproxy
	// rule leads here (IP_TRANSPARENT; needs CAP_NET_ADMIN). Conn.Local is then
	// the client's original destination.
	Transparent bool
	// Redirected asks connection tracking for the destination that a redirect
	// rule has changed (SO_ORIGINAL_DST). Conn.Local is then that one; of a client
	// that connected to Address itself it is Address, which is no server.
	Redirected bool
	// ProxyHeader says for which peers a connection must begin with a PROXY
	// protocol header, version 1 or 2, which tells who the client is. From other
	// peers a header is not accepted: it is not DCE/RPC. Called on the loop; nil:
	// for none.
	ProxyHeader func(peer netip.Addr) bool
	// Head asks Route only when the first 24 bytes of the client are there, or
	// enough to see that they are no bind: Conn.Head tells what they are. A
	// server that speaks first is not heard until then.
	Head bool
	// Route says where to connect a client to. It must not be nil.
	Route Router
	// Unrouted is told of the end of a connection that no handler can be told
	// of: it ended before Route was asked, or in a panic of Route. Called on the
	// loop; nil: nobody is.
	Unrouted func(c *Conn, reason CloseReason)
}

// Router says where to connect a client to, and makes the handler for it. It is
// called on the connection's loop and must not block. attempt counts from 0: it
// is asked again when the server could not be reached, maxAttempts times in all.
type Router func(c *Conn, attempt int) Route

// Route is a Router's answer.
type Route struct {
	// Handler of the connection, of this attempt only. Nil refuses the client,
	// which is reset.
	Handler Handler
	// Server to connect to.
	Server netip.AddrPort
	// Source is the address to connect from, which need not be one of this
	// machine's (IP_TRANSPARENT; needs CAP_NET_ADMIN, and routes that bring the
	// answers here). Its port is taken if it is free, or else any, as with port
	// 0. A redirected client's port must be 0: connection tracking would take the
	// connection to the server for the client's. Zero: as the kernel chooses.
	Source netip.AddrPort
}

// maxAttempts bounds how often a Router is asked for one client: more domain
// controllers than stand behind one listener as a rule. The client waits for up
// to Options.ConnectTimeout per attempt and is told nothing meanwhile.
const maxAttempts = 8
