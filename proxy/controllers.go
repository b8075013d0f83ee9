package proxy

import (
	"net/netip"
	"slices"
	"time"

	"github.com/nspiproxy/nspiproxy/policy"
	"github.com/nspiproxy/nspiproxy/proxy/backend"
	"github.com/nspiproxy/nspiproxy/proxy/inspect"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

// newControllers makes the set of domain controllers of the configuration.
func (s *Server) newControllers(prober backend.Prober) *backend.Set {
	h := &s.config.Health
	o := backend.Options{
		Interval: h.Interval, Timeout: h.Timeout, Rise: h.Rise, Fall: h.Fall, EndpointInterval: h.EndpointInterval,
		Process:  s.processOf,
		OnPorts:  func(dc *backend.DC, ports backend.Ports) { s.listeners.PortsTold(dc, ports) },
		OnEvent:  s.controllerChanged,
		OnCheck:  s.vanished.checked,
		OnSilent: func(addr netip.Addr, _ time.Duration) { s.vanished.judge(addr) },
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

// processOf returns the interfaces of the process of NSPI whose ports are taken as well:
// those of domain controllers behind transparent listeners.
func (s *Server) processOf(addr netip.Addr) (list []rpcparse.SyntaxID) {
	if !s.config.Transparent.TakesProcess() || !s.config.LeadsTo(addr) {
		return nil
	}
	for _, i := range nspi.Process {
		list = append(list, i.Syntax)
	}
	return list
}

// load is how much a domain controller has to do, for the choice among several.
func (s *Server) load(name string) (sessions, connections int) {
	l := s.table.Load(name)
	return l.Sessions + l.Reserved, l.Connections
}

// controllerChanged reports a change of a domain controller, or of those that DNS
// names.
func (s *Server) controllerChanged(e backend.Event) {
	c := inspect.ControllerChanged{
		Kind: string(e.Kind), Backend: e.Backend, DC: e.DC, Text: controllerTexts[e.Kind], Reason: e.Reason,
		Bad: e.Kind == backend.DCDown || e.Kind == backend.EPMDown || e.Kind == backend.SRVFailed ||
			e.Kind == backend.ClientsUnanswered,
	}
	switch e.Kind {
	case backend.DCUp, backend.DCDown:
		c.State = e.State.String()
	case backend.DCPorts, backend.DCProcess:
		c.Ports = append([]uint16{}, e.Ports...)
	}
	s.reporter.Report(c)
}

// controllerTexts are the messages, by kind.
var controllerTexts = map[backend.Kind]string{
	backend.DCUp:      "a domain controller is serving",
	backend.DCDown:    "a domain controller is not serving",
	backend.DCPorts:   "the endpoint mapper of a domain controller tells where NSPI is",
	backend.DCProcess: "the endpoint mapper of a domain controller tells where other interfaces of the process of NSPI are: these ports are taken as well",
	backend.EPMDown:   "the endpoint mapper of a domain controller does not answer: known ports are kept",
	backend.EPMUp:     "the endpoint mapper of a domain controller answers again",
	backend.ClientsUnanswered: "connections under clients' addresses get no answer, while this machine's own to the same port do: " +
		"the answers take another way than through this machine (another router, another interface of the domain controller), " +
		"a firewall on the domain controller or in between admits this machine and not the clients, or rp_filter drops the answers",
	backend.ClientsAnswered: "connections under clients' addresses are answered again",
	backend.SRVChanged:      "DNS names other domain controllers",
	backend.SRVFailed:       "DNS names no domain controllers: those known are kept",
}
