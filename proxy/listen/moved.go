package listen

import (
	"net/netip"

	"github.com/nspiproxy/nspiproxy/proxy/relay"
)

// ResetMoved ends the connections whose packets come through another machine now, as
// relay.Group.ResetMoved does. is tells that of a connection by what its client
// connected to: through a transparent listener, or at an address of this machine.
// With nil it is those that an earlier call found.
func (l *Listeners) ResetMoved(is func(transparent bool, to netip.Addr) bool, linked func(server netip.Addr) bool, done func(ended, waiting int)) {
	m := relay.Moved{Linked: linked, Done: done}
	if is != nil {
		m.Is = func(h relay.Handler) bool {
			c, ok := h.(*connection)
			return ok && is(c.listener.Mode.Transparent(), c.conn.Local().Addr())
		}
	}
	l.Group.ResetMoved(m)
}

// Addresses are those of this machine on which clients reach forward listeners.
func (l *Listeners) Addresses() (list []netip.Addr) {
	for n := range l.Config.Listeners {
		if a := l.Config.Listeners[n].Address; a.IsValid() && !a.IsUnspecified() {
			list = append(list, a)
		}
	}
	return list
}
