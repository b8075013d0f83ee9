package proxy

import (
	"fmt"
	"net/netip"

	"github.com/nspiproxy/nspiproxy/policy"
	"github.com/nspiproxy/nspiproxy/proxy/backend"
	"github.com/nspiproxy/nspiproxy/proxy/relay"
)

// intercept is a transparent listener at work: it takes connections to the
// domain controllers' own addresses, to which each of them goes on.
type intercept struct {
	server   *Server
	listener *policy.Listener
}

// start listens where the packet filter leads the clients' packets.
func (v *intercept) start() error {
	for _, addr := range v.addresses() {
		l, err := v.server.group.Listen(relay.ListenOptions{
			Address:     addrPort(addr, v.listener.Port),
			Transparent: v.listener.Mode == policy.ModeTPROXY,
			Redirected:  v.listener.Mode == policy.ModeRedirect,
			Route:       v.route,
			Unrouted:    v.server.unrouted(v.listener),
		})
		if err != nil {
			return err
		}
		v.server.log.Info().Str("event", "listening").Str("listener", v.listener.Name).Str("mode", string(v.listener.Mode)).
			Stringer("address", l.Addr()).Msg("listening")
	}
	return nil
}

// addresses returns one address for each family of the destinations. A packet
// that is diverted keeps its destination and may be led to loopback, where
// nobody else can connect; a redirected one arrives at the interface's address.
func (v *intercept) addresses() (list []netip.Addr) {
	four, six := netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()
	if v.listener.Mode == policy.ModeRedirect {
		four, six = netip.IPv4Unspecified(), netip.IPv6Unspecified()
	}
	has := func(is4 bool) bool {
		for _, n := range v.listener.Destinations {
			if n.Addr().Is4() == is4 {
				return true
			}
		}
		return false
	}
	if has(true) {
		list = append(list, four)
	}
	if has(false) {
		list = append(list, six)
	}
	return list
}

// route leads a connection on to where its client wanted to go.
func (v *intercept) route(c *relay.Conn, attempt int) relay.Route {
	to := c.Local()
	if attempt > 0 || !v.mine(c, to) {
		return relay.Route{}
	}
	dc := v.server.controllers.At(to.Addr())
	if v.hopeless(dc, to.Port()) {
		v.server.metrics.unreachable.Inc()
		return relay.Route{} // at once, and not after connect_timeout
	}
	i := v.server.newInspector(c, v.listener, dc, to)
	if to == dc.EPM {
		i.mapper = v.server.interception.learner(i)
	}
	r := relay.Route{Handler: i, Server: to}
	if v.listener.Mode == policy.ModeTPROXY {
		r.Source = c.Client()
	}
	return r
}

// hopeless reports whether a connection to a port of dc is bound to fail. An
// endpoint mapper may answer where NSPI does not, and tell that it has moved.
func (v *intercept) hopeless(dc *backend.DC, port uint16) bool {
	switch {
	case dc.State() != backend.Unreachable, port == dc.EPM.Port() && !dc.Silent():
		return false
	case v.listener.Mode == policy.ModeTPROXY: // clients connect under their own addresses
		return !dc.TryTrial()
	}
	return true
}

// mine reports whether a connection was led here by our rules. One that was
// made to the listener itself must not be: it would be led here for ever.
func (v *intercept) mine(c *relay.Conn, to netip.AddrPort) bool {
	if to.Port() != v.listener.Port && contains(v.listener.Destinations, to.Addr()) {
		return true
	}
	v.server.recorder.note("intercept.foreign", v.listener.Name, fmt.Sprintf("a connection from %v to %v was refused: "+
		"it is not to one of the listener's destinations", c.Client().Addr(), to))
	return false
}
