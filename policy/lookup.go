package policy

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

// MapperPort returns the port on which l serves the endpoint mapper, 0 for
// none: a backend whose NSPI port is fixed needs none, unless one is asked for.
func (c *Config) MapperPort(l *Listener) uint16 {
	if l.EPMPort != 0 {
		return l.EPMPort
	}
	if b := c.Backend(l.Backend); b != nil && b.NSPIPort != 0 {
		return 0
	}
	return epmPort
}

// fixedPorts returns the ports on which l listens from the start: that of the
// endpoint mapper and that of NSPI, where there is such a one.
func (c *Config) fixedPorts(l *Listener) []uint16 {
	var ports []uint16
	if port := c.MapperPort(l); port != 0 {
		ports = append(ports, port)
	}
	if b := c.Backend(l.Backend); b != nil && b.NSPIPort != 0 {
		ports = append(ports, b.NSPIPort)
	}
	return ports
}
