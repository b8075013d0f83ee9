// Package listen is where clients come in and where they go: it opens the
// listeners of the configuration and leads each connection, with an inspector of
// its own, to a domain controller.
//
//	forward.go       an address of the proxy's own ──▶ one domain controller, or pool.go: which of several
//	transparent.go   the domain controllers' own addresses ──▶ the one that the client meant
//	                          │
//	                          ▼
//	               relay.Route: connection.go (an inspect.Inspector, a server), a source address
//
// A forward listener opens further ports while it runs (ports.go), for endpoints
// that the endpoint mapper names to clients; what such a port leads to is a
// target (target.go). A transparent listener has the kernel lead the ports of
// NSPI to it, as they become known (interceptor.go), and those on which it may be bound
// as well (process.go).
//
// # Where to change what
//
//	listeners.go     all of them; start, stop, what is asked of them
//	connection.go    what the relay asks and tells about one connection
package listen
