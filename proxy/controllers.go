package proxy

import (
	"net/netip"
	"time"

	"github.com/nspiproxy/nspiproxy/policy"
	"github.com/nspiproxy/nspiproxy/proxy/backend"
)

// newControllers makes the set of domain controllers of the configuration.
func (s *Server) newControllers(prober backend.Prober) *backend.Set {
	h := &s.config.Health
	o := backend.Options{
		Interval: h.Interval, Timeout: h.Timeout, Rise: h.Rise, Fall: h.Fall, EndpointInterval: h.EndpointInterval,
		OnPorts:  s.endpointsTold,
		OnSilent: s.silent,
		OnEvent:  s.recorder.controllerEvent,
	}
	if h.Check != policy.CheckNone {
		o.Prober = prober
	}
	for _, b := range s.config.Backends {
		o.Backends = append(o.Backends, backend.Backend{
			Name: b.Name, Address: b.Address, SRV: string(b.SRV), DNSServer: b.DNSServer, NSPIPort: b.NSPIPort, EPMPort: b.EPMPort,
		})
	}
	for i := range s.config.Backends {
		b := &s.config.Backends[i]
		for _, a := range b.Also {
			if s.config.LeadsTo(a) {
				o.Backends = append(o.Backends, backend.Backend{Name: a.String(), Address: a, NSPIPort: b.NSPIPort, EPMPort: b.EPMPort})
				s.also[a] = b.Name
			}
		}
	}
	return backend.New(o)
}

// silent ends the connections to a host that has given no sign of life for so
// long: a machine that lost its power sends no reset. What is held on it is free
// again then.
func (s *Server) silent(addr netip.Addr, silentFor time.Duration) {
	s.group.CloseServer(addr, silentFor)
}

// endpointsTold is told where NSPI is on a domain controller.
func (s *Server) endpointsTold(dc *backend.DC, ports []uint16) {
	if s.interception != nil && s.config.LeadsTo(dc.Addr) {
		s.interception.confirm(dc, ports)
	}
}

// load is how much a domain controller has to do, for the choice among several.
func (s *Server) load(name string) (sessions, connections int) {
	l := s.table.Load(name)
	return l.Sessions + l.Reserved, l.Connections
}

// scope is the name under which users of a domain controller are counted.
func (s *Server) scope(dc *backend.DC) string {
	if s.config.Policy.Scope == policy.ScopeAll {
		return string(policy.ScopeAll)
	}
	return s.nameOf(dc, dc.Name)
}

// nameOf is the configured name of the domain controller that has dc's address
// beside its first one, or else own. Each of its addresses is looked after as a
// domain controller by itself, because one may be reached when another is not;
// for rules, counting and logs they are one.
func (s *Server) nameOf(dc *backend.DC, own string) string {
	if name, ok := s.also[dc.Addr]; ok {
		return name
	}
	return own
}
