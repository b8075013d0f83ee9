package policy

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"text/tabwriter"
)

// describeListeners prints a line for each listener, and below it what else is
// behind it or comes through it.
func (c *Config) describeListeners(w *tabwriter.Writer) {
	fmt.Fprintln(w, "Listeners")
	for i := range c.Listeners {
		l := &c.Listeners[i]
		where, how, lines := c.describeForward(l)
		if l.Mode.Transparent() {
			where, how, lines = c.describeTaken(l)
		}
		fmt.Fprintf(w, "  %s\t%s\t%s\t%s\t-> %s\n", l.Name, l.Mode, where, how, lines[0])
		for _, line := range lines[1:] {
			fmt.Fprintf(w, "\t\t\t\t%s\n", line)
		}
	}
	fmt.Fprintln(w)
}

// describeForward tells where a forward listener listens, on which port, and
// what is behind it.
func (c *Config) describeForward(l *Listener) (where, how string, lines []string) {
	how = fmt.Sprintf("endpoint mapper on %d", c.MapperPort(l))
	if c.MapperPort(l) == 0 {
		how = describePorts(c.fixedPorts(l))
	}
	for i, b := range c.Pool(l) {
		line := b.describe()
		if i > 0 {
			line = "or " + line
		}
		lines = append(lines, line)
	}
	if len(l.ProxyProtocolFrom) > 0 {
		lines = append(lines, "PROXY header from "+describeNetworks(l.ProxyProtocolFrom))
	}
	if l.ReferralName != "" {
		lines = append(lines, "clients are referred to "+string(l.ReferralName))
	}
	return l.Address.String(), how, lines
}

// describeTaken tells what a transparent listener takes: on which port, from
// where, and on the way to whom.
func (c *Config) describeTaken(l *Listener) (where, how string, lines []string) {
	how = "from all interfaces but lo"
	if len(l.Interfaces) > 0 {
		names := make([]string, len(l.Interfaces))
		for i, name := range l.Interfaces {
			names[i] = string(name)
		}
		how = "from " + strings.Join(names, " or ")
	}
	lines = []string{
		describeNetworks(l.Destinations),
		"on " + describePorts(append([]uint16{epmPort}, l.NSPIPorts...)) + " and where their endpoint mappers say",
	}
	for i := range c.Backends {
		if b := &c.Backends[i]; l.LeadsTo(b.Address) || slices.ContainsFunc(b.Also, l.LeadsTo) {
			lines = append(lines, "with "+b.describe(b.Also...))
		}
	}
	return fmt.Sprintf("port %d", l.Port), how, lines
}

func describeAddresses(list []netip.Addr) string {
	texts := make([]string, len(list))
	for i, a := range list {
		texts[i] = a.String()
	}
	return strings.Join(texts, ", ") + ": connections end on both sides when one leaves this machine"
}

func describePorts(ports []uint16) string {
	names := make([]string, len(ports))
	for i, port := range ports {
		names[i] = fmt.Sprint(port)
	}
	if len(names) == 1 {
		return "port " + names[0]
	}
	return "ports " + strings.Join(names, ", ")
}

// describe tells where b is, also elsewhere, and how its NSPI is found.
func (b *Backend) describe(also ...netip.Addr) string {
	place := b.Address.String()
	for _, a := range also {
		place += " and " + a.String()
	}
	switch {
	case b.SRV != "" && b.DNSServer.IsValid():
		place = fmt.Sprintf("the hosts of %s (asking %v)", b.SRV, b.DNSServer)
	case b.SRV != "":
		place = "the hosts of " + string(b.SRV)
	}
	if b.NSPIPort != 0 {
		return fmt.Sprintf("%s at %s, NSPI on port %d", b.Name, place, b.NSPIPort)
	}
	return fmt.Sprintf("%s at %s, NSPI where its endpoint mapper on %d says", b.Name, place, b.EPMPort)
}

// describeTransparent tells how packets get to transparent listeners.
func (c *Config) describeTransparent(w *tabwriter.Writer) {
	if len(c.TransparentListeners()) == 0 {
		return
	}
	t := &c.Transparent
	fails := "open: clients reach the domain controllers directly"
	if t.WhenDown == FailClosed {
		fails = "closed: clients reach no domain controller"
	}
	repair := "rules and routes that others change are put in force again"
	if !t.Repair {
		repair = "no: rules and routes that others change are reported only"
	}
	fmt.Fprintln(w, "Transparent")
	fmt.Fprintf(w, "  mark\t%d\n", t.Mark)
	fmt.Fprintf(w, "  route table\t%d\n", t.RouteTable)
	fmt.Fprintf(w, "  learnt ports\t%s\n", t.StateFile)
	process := "not taken: NSPI can be bound on ports of other interfaces, past the limit"
	if t.TakesProcess() {
		process = "taken: ports of other interfaces, with all RPC traffic of the domain controllers"
	}
	fmt.Fprintf(w, "  when down\t%s\n", fails)
	fmt.Fprintf(w, "  repair\t%s\n", repair)
	fmt.Fprintf(w, "  same process\t%s\n", process)
	if len(t.VirtualAddresses) > 0 {
		fmt.Fprintf(w, "  virtual addresses\t%s\n", describeAddresses(t.VirtualAddresses))
	}
	fmt.Fprintln(w)
}

// describeHealth tells how domain controllers are watched.
func (c *Config) describeHealth(w *tabwriter.Writer) {
	h := &c.Health
	fmt.Fprintln(w, "Health")
	switch {
	case h.Check == CheckNone:
		fmt.Fprintln(w, "  check\tnone: what clients' connections show")
	case h.Auth == AuthNone:
		fmt.Fprintf(w, "  check\t%s, every %v, for at most %v\n", h.Check, h.Interval, h.Timeout)
	default:
		fmt.Fprintf(w, "  check\t%s, every %v, for at most %v, as %s (%s, %s)\n", h.Check, h.Interval, h.Timeout, h.User, h.Auth, h.Level)
	}
	fmt.Fprintf(w, "  serving\tafter %d successes, until %d failures\n", h.Rise, h.Fall)
	fmt.Fprintf(w, "  endpoints\tasked for every %v\n\n", h.EndpointInterval)
}
