//go:build !linux

package relay

import (
	"context"
	"net/netip"
	"time"

	"github.com/nspiproxy/nspiproxy/rpcparse"
)

// Group needs Linux; see NewGroup.
type Group struct{}

// NewGroup returns ErrUnsupported.
func NewGroup(Options) (*Group, error) { return nil, ErrUnsupported }

// Listen returns ErrUnsupported.
func (*Group) Listen(ListenOptions) (*Listener, error) { return nil, ErrUnsupported }

// Stats returns zeros.
func (*Group) Stats() Stats { return Stats{} }

// CloseServer does nothing.
func (*Group) CloseServer(netip.Addr, time.Duration) {}

// Ask does nothing.
func (*Group) Ask(netip.Addr, func(time.Duration, int)) {}

// StopAsking does nothing.
func (*Group) StopAsking(netip.Addr) {}

// ResetMoved does nothing.
func (*Group) ResetMoved(Moved) {}

// DecideAll returns false.
func (*Group) DecideAll(Decision) bool { return false }

// Shutdown does nothing.
func (*Group) Shutdown(context.Context) error { return nil }

// Listener cannot exist on this platform.
type Listener struct{}

// Addr returns the zero address.
func (*Listener) Addr() netip.AddrPort { return netip.AddrPort{} }

// Close does nothing.
func (*Listener) Close() {}

// Conn cannot exist on this platform.
type Conn struct{}

// Client returns the zero address.
func (*Conn) Client() netip.AddrPort { return netip.AddrPort{} }

// Peer returns the zero address.
func (*Conn) Peer() netip.AddrPort { return netip.AddrPort{} }

// Local returns the zero address.
func (*Conn) Local() netip.AddrPort { return netip.AddrPort{} }

// Reached returns the zero address.
func (*Conn) Reached() netip.AddrPort { return netip.AddrPort{} }

// Head returns false.
func (*Conn) Head() (Head, bool) { return Head{}, false }

// End does nothing.
func (*Conn) End(error) {}

// Server returns the zero address.
func (*Conn) Server() netip.AddrPort { return netip.AddrPort{} }

// Wake does nothing.
func (*Conn) Wake() {}

// Decide returns false.
func (*Conn) Decide(Decision) bool { return false }

// Keeps does nothing.
func (*Conn) Keeps(int, bool) {}

// AwaitSession does nothing.
func (*Conn) AwaitSession() {}

// HandshakeDone does nothing.
func (*Conn) HandshakeDone() {}

// SetMaxFragment does nothing.
func (*Conn) SetMaxFragment(rpcparse.Direction, int) {}
