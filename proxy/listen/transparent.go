package listen

import (
	"net/netip"

	"github.com/nspiproxy/nspiproxy/policy"
	"github.com/nspiproxy/nspiproxy/proxy/backend"
	"github.com/nspiproxy/nspiproxy/proxy/inspect"
	"github.com/nspiproxy/nspiproxy/proxy/relay"
	"github.com/nspiproxy/nspiproxy/proxy/transparent"
)

// transparentListener is a transparent listener at work: it takes connections to the
// domain controllers' own addresses, to which each of them goes on.
type transparentListener struct {
	all    *Listeners
	config *policy.Listener
}

// start listens where the packet filter leads the clients' packets.
func (t *transparentListener) start() error {
	for _, addr := range t.addresses() {
		l, err := t.all.Group.Listen(relay.ListenOptions{
			Address:     netip.AddrPortFrom(addr, t.config.Port),
			Transparent: t.config.Mode == policy.ModeTPROXY,
			Redirected:  t.config.Mode == policy.ModeRedirect,
			Route:       t.route,
			Refused:     t.all.refused(t.config),
			Unrouted:    t.all.unrouted(t.config),
		})
		if err != nil {
			return err
		}
		t.all.Inspect.Events.Report(inspect.Listening{Listener: t.config.Name, Mode: string(t.config.Mode), Address: l.Addr()})
	}
	return nil
}

// addresses returns where it listens, as far as the machine has the family.
func (t *transparentListener) addresses() (list []netip.Addr) {
	for _, a := range t.config.LocalAddresses() {
		if a.Is6() && !transparent.HasIPv6() {
			t.all.Inspect.Events.Report(inspect.NoIPv6{Listener: t.config.Name})
			continue
		}
		list = append(list, a)
	}
	return list
}

// route leads a connection on to where its client wanted to go.
func (t *transparentListener) route(c *relay.Conn, attempt int) relay.Route {
	to := c.Local()
	if attempt > 0 || !t.isDestination(c, to) {
		return relay.Route{}
	}
	dc := t.all.Controllers.At(to.Addr())
	gone := dc.Gone(t.all.Config.Relay.ConnectTimeout)
	if gone && !t.mayTry(dc) {
		t.all.Inspect.Events.Report(inspect.Unreachable{Source: inspect.Source{Client: c.Client(), Backend: dc.ServerName()}})
		return relay.Route{} // at once, and not after connect_timeout
	}
	o := inspect.Options{Elsewhere: true}
	if to == dc.EPM {
		o.Interceptor = interceptedDC{t.all.interceptor, dc}
	}
	r := relay.Route{Handler: t.all.connect(c, t.config, dc, to, o), Server: to, Brief: gone}
	if t.config.Mode == policy.ModeTPROXY {
		r.Source = c.Client()
		r.Brief = gone || dc.IsUnanswered(r.Source.Addr())
	}
	return r
}

// mayTry reports whether a client may try to reach a domain controller that is gone for
// this machine. Where clients connect under their own addresses, a few may. Elsewhere
// the proxy's own checks connect as clients do, and find it sooner.
func (t *transparentListener) mayTry(dc *backend.DC) bool {
	return t.config.Mode == policy.ModeTPROXY && dc.TryTrial()
}

// isDestination reports whether a connection was led here by our rules. One that was
// made to the listener itself must not be: it would be led here for ever.
func (t *transparentListener) isDestination(c *relay.Conn, to netip.AddrPort) bool {
	if to.Port() != t.config.Port && contains(t.config.Destinations, to.Addr()) {
		return true
	}
	t.all.Inspect.Events.Report(inspect.ConnectionForeign{Listener: t.config.Name, Client: c.Client().Addr(), To: to})
	return false
}
