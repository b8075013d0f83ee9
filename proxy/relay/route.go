package relay

import "net/netip"

// ListenOptions say where a [Group] accepts clients and what it must know of one
// before it asks where to connect to.
type ListenOptions struct {
	// Address to listen on. Port 0 takes a free one (see Listener.Addr).
	Address netip.AddrPort
	// Transparent accepts connections to any address that the kernel's tproxy
	// rule leads here (IP_TRANSPARENT; needs CAP_NET_ADMIN). Conn.Local is then
	// the client's original destination.
	Transparent bool
	// Redirected asks connection tracking for the destination that a redirect
	// rule has changed (SO_ORIGINAL_DST). Conn.Local is then that one; of a client
	// that connected to Address itself it is Address, which is no server.
	Redirected bool
	// ProxyHeader reports whether connections of a peer must begin with a PROXY
	// protocol header, version 1 or 2, which has the client's address. From other
	// peers a header is not accepted, because it is not DCE/RPC. It is called on the
	// loop; nil means for no peer.
	ProxyHeader func(peer netip.Addr) bool
	// Head makes the relay call Route only when the first 24 bytes of the client are
	// there, or enough of them to see that they are not a bind. Conn.Head returns
	// them. A server that sends first is not read until then.
	Head bool
	// Route says where to connect a client to. It must not be nil.
	Route Router
	// Refused is called when a client is reset because there are MaxConnections (held is
	// 0), or because its network has its share: held connections.
	Refused func(client netip.AddrPort, held int)
	// Unrouted is called at the end of a connection that has no handler, because it
	// ended before Route was called, or in a panic of Route. It is called on the
	// loop and may be nil.
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
	// Brief says that the next attempt is made when nothing has answered this one for
	// Options.FailoverTimeout, and not only for Options.ConnectTimeout.
	Brief bool
}

// maxAttempts bounds how often a Router is asked for one client. There are rarely
// that many domain controllers behind one listener. The client waits meanwhile, up to
// Options.ConnectTimeout for each attempt, or Options.FailoverTimeout for a brief one.
const maxAttempts = 8
