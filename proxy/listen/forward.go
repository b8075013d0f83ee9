package listen

import (
	"net/netip"
	"slices"

	"github.com/nspiproxy/nspiproxy/policy"
	"github.com/nspiproxy/nspiproxy/proxy/backend"
	"github.com/nspiproxy/nspiproxy/proxy/inspect"
	"github.com/nspiproxy/nspiproxy/proxy/relay"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
	"github.com/nspiproxy/nspiproxy/rpcparse/tower"
)

// forwardListener is a listener of mode forward: an address of the proxy's own in
// front of one domain controller or of several, with a port for the endpoint
// mapper and one for each endpoint that it has named to clients.
type forwardListener struct {
	all       *Listeners
	config    *policy.Listener
	ports     *portMap
	pool      *pool // nil: one domain controller
	dc        *backend.DC
	referrals *inspect.ReferralRewriter
}

func newForwardListener(all *Listeners, config *policy.Listener) *forwardListener {
	f := &forwardListener{all: all, config: config, referrals: inspect.NewReferralRewriter(string(config.ReferralName))}
	f.ports = newPortMap(f.open)
	if pool := all.Config.Pool(config); len(pool) > 1 || pool[0].SRV != "" {
		f.pool = newPool(all, config)
	} else {
		f.dc = all.Controllers.Members(config.BackendNames()[0])[0]
	}
	return f
}

// start opens the ports that must be there before the first client.
func (f *forwardListener) start() error {
	if port := f.all.Config.MapperPort(f.config); port != 0 {
		if err := f.listen(port, f.target(targetMapper, 0)); err != nil {
			return err
		}
	}
	for _, port := range f.all.Config.FixedNSPIPorts(f.config) {
		if err := f.listen(port, f.target(targetNSPI, port)); err != nil {
			return err
		}
	}
	return nil
}

// target is the endpoint mapper or NSPI, or what else is on a port of the one
// domain controller.
func (f *forwardListener) target(kind targetKind, port uint16) target {
	switch {
	case f.pool != nil:
		return target{kind: kind}
	case kind == targetMapper:
		return target{kind: targetPort, addr: f.dc.EPM}
	}
	return target{kind: targetPort, addr: netip.AddrPortFrom(f.dc.Addr, port)}
}

func (f *forwardListener) listen(port uint16, t target) error {
	l, err := f.open(port, t)
	if err != nil {
		return err
	}
	f.ports.set(t, l)
	return nil
}

// learn opens the ports on which NSPI is on a domain controller, under the same
// numbers: answers of the endpoint mapper that are signed name them as they are.
func (f *forwardListener) learn(dc *backend.DC, ports []uint16) {
	if !slices.Contains(f.config.BackendNames(), dc.BackendName()) {
		return
	}
	for _, port := range ports {
		if err := f.ports.learnt(f.target(targetNSPI, port), port); err != nil {
			f.all.Inspect.Events.Report(inspect.PortTaken{Listener: f.config.Name, Port: port, Err: err})
		}
	}
}

// open listens on port for connections to a target. It may be called on a loop.
func (f *forwardListener) open(port uint16, t target) (mappedPort, error) {
	l, err := f.all.Group.Listen(relay.ListenOptions{
		Address:     netip.AddrPortFrom(f.config.Address, port),
		ProxyHeader: f.fromLoadBalancer(),
		Head:        f.pool != nil && t.kind != targetPort,
		Route:       func(c *relay.Conn, attempt int) relay.Route { return f.route(c, t, attempt) },
		Refused:     f.all.refused(f.config),
		Unrouted:    f.all.unrouted(f.config),
	})
	if err != nil {
		return nil, err
	}
	f.all.listenAddrs.Store(l.Addr(), nil)
	f.all.Inspect.Events.Report(inspect.Listening{
		Listener: f.config.Name, Backends: f.config.BackendNames(), Address: l.Addr(), Target: t.String(),
	})
	return l, nil
}

// fromLoadBalancer tells which peers begin with a PROXY header; nil: none.
func (f *forwardListener) fromLoadBalancer() func(netip.Addr) bool {
	if len(f.config.ProxyProtocolFrom) == 0 {
		return nil
	}
	return func(peer netip.Addr) bool { return contains(f.config.ProxyProtocolFrom, peer) }
}

// contains reports whether a is in one of the networks.
func contains(networks []netip.Prefix, a netip.Addr) bool {
	a = a.Unmap()
	for _, n := range networks {
		if n.Contains(a) {
			return true
		}
	}
	return false
}

// route decides where a connection to a target goes.
func (f *forwardListener) route(c *relay.Conn, t target, attempt int) relay.Route {
	dc, a := onlyFirst(f.dc, attempt), (*poolAttempt)(nil)
	if f.pool != nil {
		dc, a = f.pool.choose(c, t, attempt)
	}
	if dc == nil {
		return relay.Route{}
	}
	server := t.on(dc)
	if f.all.isListener(dc, server) {
		return relay.Route{}
	}
	o := inspect.Options{Referrals: f.referrals}
	if server == dc.EPM {
		o.Ports, o.Front = portOpener{f, dc}, c.Reached().Addr()
	}
	if f.pool != nil {
		o.Groups = f.pool.groups
	}
	h := f.all.connect(c, f.config, dc, server, o)
	h.attempt = a
	return relay.Route{Handler: h, Server: server, Brief: a != nil && a.brief}
}

// isListener reports whether what would be connected to for dc is a listener of
// the proxy, as where DNS names the proxy to clients by the records that it finds
// its domain controllers by. The connection would come back and be led there
// again, until no descriptor is left.
func (l *Listeners) isListener(dc *backend.DC, server netip.AddrPort) bool {
	_, is := l.listenAddrs.Load(server)
	if is {
		l.Inspect.Events.Report(inspect.BackendIsProxy{Backend: dc.BackendName(), DC: dc.Name, Address: server})
	}
	return is
}

// portOpener opens ports of a forward listener for endpoints of dc. It implements
// inspect.PortOpener.
type portOpener struct {
	listener *forwardListener
	dc       *backend.DC
}

// PortFor returns the proxy's port for an endpoint.
func (p portOpener) PortFor(e tower.Endpoint) (uint16, error) {
	t := target{kind: targetPort, addr: netip.AddrPortFrom(p.dc.Addr, e.Port)}
	if e.Interface.UUID == nspi.Interface.UUID {
		t = p.listener.target(targetNSPI, e.Port)
	}
	return p.listener.ports.portFor(t, e.Port)
}
