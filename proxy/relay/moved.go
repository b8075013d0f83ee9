package relay

import "net/netip"

// Moved is what Group.ResetMoved needs to know.
type Moved struct {
	// Is reports whether the path of a connection leads through another machine now;
	// nil: of none but those that an earlier call found.
	Is func(h Handler) bool
	// Linked reports whether a packet to the server leaves this machine.
	Linked func(server netip.Addr) bool
	// Done is called when all connections have been looked at.
	Done func(ended, waiting int)
}
