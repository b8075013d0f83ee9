package proxy

import (
	"net/netip"
	"slices"
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
			Also: slices.DeleteFunc(slices.Clone(b.Also), func(a netip.Addr) bool { return !s.config.LeadsTo(a) }),
		})
	}
	return backend.New(o)
}

// silent ends the connections to a host that has given no sign of life for so
// long: a machine that lost its power sends no reset. What is held on it is free
// again then. Where clients reach it under their own addresses they must have
// failed as well: a firewall may keep out this machine alone.
func (s *Server) silent(addr netip.Addr, silentFor time.Duration) {
	if s.keepsSources(addr) && !s.controllers.At(addr).ClientsFail() {
		return
	}
	s.group.CloseServer(addr, silentFor)
}

// keepsSources reports whether clients are led to an address under their own.
func (s *Server) keepsSources(addr netip.Addr) bool {
	return slices.ContainsFunc(s.config.TransparentListeners(), func(l *policy.Listener) bool {
		return l.Mode == policy.ModeTPROXY && l.LeadsTo(addr)
	})
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
	return dc.ServerName()
}
