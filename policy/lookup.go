package policy

import (
	"net/netip"
	"slices"
)

// Backend returns the backend of that name, or nil. In a valid configuration
// every listener's backend exists.
func (c *Config) Backend(name string) *Backend {
	for i := range c.Backends {
		if c.Backends[i].Name == name {
			return &c.Backends[i]
		}
	}
	return nil
}

// BackendNames returns the names of the backends behind a forward listener, in
// the order of the file. Transparent listeners have none.
func (l *Listener) BackendNames() []string {
	if l.Backend != "" {
		return []string{l.Backend}
	}
	return l.Backends
}

// Pool returns the backends behind a forward listener, as BackendNames does.
func (c *Config) Pool(l *Listener) []*Backend {
	var pool []*Backend
	for _, name := range l.BackendNames() {
		if b := c.Backend(name); b != nil {
			pool = append(pool, b)
		}
	}
	return pool
}

// LeadsTo reports whether l is transparent and a is one of its destinations. a
// must not be an IPv4-mapped IPv6 address.
func (l *Listener) LeadsTo(a netip.Addr) bool {
	return slices.ContainsFunc(l.Destinations, func(p netip.Prefix) bool { return p.Contains(a) })
}

// LeadsTo reports whether a transparent listener takes connections to a.
func (c *Config) LeadsTo(a netip.Addr) bool {
	return slices.ContainsFunc(c.Listeners, func(l Listener) bool { return l.LeadsTo(a) })
}

// TransparentListeners returns the listeners that take connections to the
// domain controllers' own addresses.
func (c *Config) TransparentListeners() []*Listener {
	var found []*Listener
	for i := range c.Listeners {
		if c.Listeners[i].Mode.Transparent() {
			found = append(found, &c.Listeners[i])
		}
	}
	return found
}

// MapperPort returns the port on which a forward listener serves the endpoint
// mapper, 0 for none: backends whose NSPI port is fixed need none, unless one is
// asked for.
func (c *Config) MapperPort(l *Listener) uint16 { return mapperPort(l, c.Pool(l)) }

func mapperPort(l *Listener, pool []*Backend) uint16 {
	asked := func(b *Backend) bool { return b.NSPIPort == 0 }
	switch {
	case l.EPMPort != 0 || l.Mode.Transparent():
		return l.EPMPort
	case len(pool) > 0 && !slices.ContainsFunc(pool, asked):
		return 0
	}
	return epmPort
}

// fixedPorts returns the ports on which a forward listener listens from the
// start: that of the endpoint mapper and those of NSPI, where there are such.
func (c *Config) fixedPorts(l *Listener) []uint16 {
	ports := c.FixedNSPIPorts(l)
	if port := c.MapperPort(l); port != 0 {
		ports = append([]uint16{port}, ports...)
	}
	return ports
}

// FixedNSPIPorts returns the ports on which a forward listener serves NSPI from
// the start, each once.
func (c *Config) FixedNSPIPorts(l *Listener) []uint16 {
	var ports []uint16
	for _, b := range c.Pool(l) {
		if b.NSPIPort != 0 && !slices.Contains(ports, b.NSPIPort) {
			ports = append(ports, b.NSPIPort)
		}
	}
	return ports
}
