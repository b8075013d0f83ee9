package proxy

import (
	"fmt"
	"net/netip"

	"github.com/nspiproxy/nspiproxy/policy"
	"github.com/nspiproxy/nspiproxy/proxy/backend"
	"github.com/nspiproxy/nspiproxy/proxy/relay"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
	"github.com/nspiproxy/nspiproxy/rpcparse/tower"
)

// forward is a listener of mode forward at work: an address of the proxy's own
// in front of one domain controller or of several, with a port for the endpoint
// mapper and one for each endpoint that clients were told of.
type forward struct {
	server   *Server
	listener *policy.Listener
	ports    *portMap
	pool     *pool // nil: one domain controller
	dc       *backend.DC
}

func newForward(s *Server, l *policy.Listener) *forward {
	v := &forward{server: s, listener: l}
	v.ports = newPortMap(v.open)
	if pool := s.config.Pool(l); len(pool) > 1 || pool[0].SRV != "" {
		v.pool = newPool(s, l)
	} else {
		v.dc = s.controllers.Members(l.BackendNames()[0])[0]
	}
	return v
}

// start opens the ports that must be there before the first client.
func (v *forward) start() error {
	if port := v.server.config.MapperPort(v.listener); port != 0 {
		if err := v.listen(port, v.place(placeMapper, 0)); err != nil {
			return err
		}
	}
	for _, port := range v.server.config.FixedNSPIPorts(v.listener) {
		if err := v.listen(port, v.place(placeNSPI, port)); err != nil {
			return err
		}
	}
	return nil
}

// place is the endpoint mapper or NSPI, or what else is on a port of the one
// domain controller.
func (v *forward) place(kind placeKind, port uint16) place {
	switch {
	case v.pool != nil:
		return place{kind: kind}
	case kind == placeMapper:
		return place{kind: placePort, addr: v.dc.EPM}
	}
	return place{kind: placePort, addr: addrPort(v.dc.Addr, port)}
}

func (v *forward) listen(port uint16, p place) error {
	l, err := v.open(port, p)
	if err != nil {
		return err
	}
	v.ports.set(p, l)
	return nil
}

// open listens on port for connections to a place. It may be called on a loop.
func (v *forward) open(port uint16, p place) (mappedPort, error) {
	l, err := v.server.group.Listen(relay.ListenOptions{
		Address:     addrPort(v.listener.Address, port),
		ProxyHeader: v.fromLoadBalancer(),
		Head:        v.pool != nil && p.kind != placePort,
		Route:       func(c *relay.Conn, attempt int) relay.Route { return v.route(c, p, attempt) },
		Unrouted:    v.server.unrouted(v.listener),
	})
	if err != nil {
		return nil, err
	}
	v.server.own.Store(l.Addr(), nil)
	v.server.recorder.listening(v.listener, l.Addr(), p)
	return l, nil
}

// fromLoadBalancer tells which peers begin with a PROXY header; nil: nobody.
func (v *forward) fromLoadBalancer() func(netip.Addr) bool {
	if len(v.listener.ProxyProtocolFrom) == 0 {
		return nil
	}
	return func(peer netip.Addr) bool { return contains(v.listener.ProxyProtocolFrom, peer) }
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

// route decides where a connection to a place goes.
func (v *forward) route(c *relay.Conn, p place, attempt int) relay.Route {
	dc, tried := onlyFirst(v.dc, attempt), []*backend.DC(nil)
	if v.pool != nil {
		dc, tried = v.pool.choose(c, p, attempt)
	}
	if dc == nil {
		return relay.Route{}
	}
	server := p.on(dc)
	if v.server.isItself(dc, server) {
		return relay.Route{}
	}
	i := v.server.newInspector(c, v.listener, dc, server)
	if v.pool != nil {
		i.pool, i.tried = v.pool, tried
		i.groups = &groupTranslation{names: v.pool.groups}
	}
	if server == dc.EPM {
		i.mapper = &endpointRewriter{note: i.noteEndpoint, portFor: func(e tower.Endpoint) (uint16, error) { return v.portFor(dc, e) }}
	}
	return relay.Route{Handler: i, Server: server}
}

// isItself reports whether what would be connected to for dc is a listener of the
// proxy, as where DNS names the proxy to clients by the records that it finds its
// domain controllers by. The connection would come back and be led there again,
// until no descriptor is left.
func (s *Server) isItself(dc *backend.DC, server netip.AddrPort) bool {
	_, own := s.own.Load(server)
	if own {
		s.recorder.note("backend.itself", dc.BackendName(), fmt.Sprintf("%s is not used as a domain controller: %v is this proxy itself", dc.Name, server))
	}
	return own
}

// portFor returns the proxy's port for an endpoint of dc.
func (v *forward) portFor(dc *backend.DC, e tower.Endpoint) (uint16, error) {
	p := place{kind: placePort, addr: addrPort(dc.Addr, e.Port)}
	if e.Interface.UUID == nspi.Interface.UUID {
		p = v.place(placeNSPI, e.Port)
	}
	return v.ports.portFor(p, e.Port)
}
