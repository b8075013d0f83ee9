package policy

import (
	"fmt"
	"iter"
	"net/netip"
	"slices"
	"strings"
)

// Backend is one domain controller, or those that a DNS name has.
type Backend struct {
	// Name appears in rules, logs and metrics.
	Name string `yaml:"name" need:"required"`
	// Address is the IP address of the domain controller.
	Address netip.Addr `yaml:"address"`
	// Also are further addresses of the same domain controller, such as one of
	// IPv6, to which transparent listeners lead: its sessions are counted
	// together, whichever a client uses. Default: none.
	Also []netip.Addr `yaml:"also" need:"nonempty"`
	// SRV is a DNS name whose SRV records name domain controllers, in place of
	// Address. Each of them is a backend by itself.
	SRV HostName `yaml:"srv"`
	// DNSServer is asked for SRV and for the addresses behind it. Default: the
	// servers of /etc/resolv.conf.
	DNSServer netip.AddrPort `yaml:"dns_server"`
	// Host is the DNS name of the domain controller at Address: for the ticket of a
	// check with Kerberos, and for its account in keytabs, whose keys alone open its
	// clients' tickets. Default: none.
	Host HostName `yaml:"host"`
	// NSPIPort is the TCP port of NSPI where it is fixed. Default 0: ask the
	// endpoint mapper of the domain controller.
	NSPIPort uint16 `yaml:"nspi_port"`
	// EPMPort is the TCP port of its endpoint mapper. Default: 135.
	EPMPort uint16 `yaml:"epm_port"`
}

// epmPort is the well-known port of the endpoint mapper.
const epmPort = 135

// setDefaults is called on each new backend, as on each new listener.
func (b *Backend) setDefaults() { b.EPMPort = epmPort }

// backends checks each backend, and that there are some where a listener needs
// one.
func (v *validator) backends() {
	v.backendNames = map[string]string{}
	addresses, services := map[netip.AddrPort]string{}, map[HostName]string{}
	for i := range v.cfg.Backends {
		b, path := &v.cfg.Backends[i], fmt.Sprintf("backends[%d]", i)
		unique(v, v.backendNames, b.Name, path+".name", "a name of its own for each backend")
		v.nameless = v.nameless || b.Name == ""
		v.backendPlace(path, b)
		v.fewEnough(path+".also", len(b.Also))
		for at, a := range b.addresses(path) {
			unique(v, addresses, netip.AddrPortFrom(a, b.EPMPort), at, "each domain controller once: its sessions are counted together")
		}
		unique(v, services, b.SRV, path+".srv", "each service once: its domain controllers have one name")
		if b.NSPIPort != 0 && b.NSPIPort == b.EPMPort {
			v.problem(path+".nspi_port", fmt.Sprintf("%d, the port of the endpoint mapper", b.NSPIPort),
				"the port of NSPI, or no nspi_port to ask the endpoint mapper")
		}
	}
	forward := func(l Listener) bool { return !l.Mode.Transparent() }
	if slices.ContainsFunc(v.cfg.Listeners, forward) {
		v.missing("", "backends", "a list")
	}
}

// addresses yields all addresses of b with where the file, which has b at path,
// says so.
func (b *Backend) addresses(path string) iter.Seq2[string, netip.Addr] {
	return func(yield func(string, netip.Addr) bool) {
		if b.Address.IsValid() && !yield(path+".address", b.Address) {
			return
		}
		for i, a := range b.Also[:min(len(b.Also), maxListed)] {
			if a.IsValid() && !yield(fmt.Sprintf("%s.also[%d]", path, i), a) {
				return
			}
		}
	}
}

// backendPlace checks what says where b is.
func (v *validator) backendPlace(path string, b *Backend) {
	address, srv := v.given(path+".address"), v.given(path+".srv")
	switch {
	case !v.given(path):
	case address && srv:
		v.problem(path+".srv", "an address and srv", "one of them")
	case !srv:
		v.missing(path, "address", "an IP address, or srv")
	}
	if srv && v.given(path+".also") {
		v.problem(path+".also", "addresses beside srv, which names the hosts", "address, or no also")
	}
	if b.SRV != "" && !isService(b.SRV) {
		v.problem(path+".srv", quote(string(b.SRV)), "the name of a service over TCP, such as _gc._tcp.corp.example")
	}
	if srv && v.given(path+".host") {
		v.problem(path+".host", "a host name beside srv, which names the hosts", "address, or no host")
	}
	if b.Host != "" && strings.HasPrefix(string(b.Host), "_") {
		v.problem(path+".host", quote(string(b.Host)), "the name of a host")
	}
	if !v.given(path + ".dns_server") {
		return
	}
	if !srv {
		v.problem(path+".dns_server", "a DNS server for an address", "srv, or no dns_server")
	}
	if s := b.DNSServer; s.IsValid() && (!isHost(s.Addr()) || s.Port() == 0) {
		v.problem(path+".dns_server", s.String(), "the IP address of one host and a port, such as 10.0.0.53:53")
	}
}

// isService reports whether name can have SRV records for TCP (RFC 2782).
func isService(name HostName) bool {
	labels := strings.SplitN(string(name), ".", 3)
	return len(labels) == 3 && labels[0][0] == '_' && labels[1] == "_tcp"
}

// knownBackend reports a reference to a backend that does not exist. While a
// backend has no readable name, nobody knows.
func (v *validator) knownBackend(path, name string) {
	_, known := v.backendNames[name]
	if name != "" && !known && !v.nameless && len(v.cfg.Backends) > 0 {
		v.problem(path, quote(name), "the name of a backend")
	}
}

// backendEndpoints returns where the backends are known to listen: a listener
// there would connect to itself.
func (v *validator) backendEndpoints() map[netip.AddrPort]string {
	taken := map[netip.AddrPort]string{}
	for i := range v.cfg.Backends {
		b := &v.cfg.Backends[i]
		for path, a := range b.addresses(fmt.Sprintf("backends[%d]", i)) {
			taken[netip.AddrPortFrom(a, b.EPMPort)] = path
			taken[netip.AddrPortFrom(a, b.NSPIPort)] = path
		}
	}
	return taken
}

// unusedBackends warns of backends and addresses that no client reaches. A
// backend at the destination of a transparent listener is used: it names that
// domain controller.
func (v *validator) unusedBackends() {
	used := map[string]bool{}
	for i := range v.cfg.Listeners {
		for _, name := range v.cfg.Listeners[i].BackendNames() {
			used[name] = true
		}
	}
	for i := range v.cfg.Backends {
		b := &v.cfg.Backends[i]
		if !used[b.Name] && !v.cfg.LeadsTo(b.Address) && !slices.ContainsFunc(b.Also, v.cfg.LeadsTo) {
			v.warn(fmt.Sprintf("backends[%d].name", i), b.Name+", which no listener uses",
				"a listener with this backend, or with its address among the destinations")
			continue
		}
		for j, a := range b.Also[:min(len(b.Also), maxListed)] {
			if a.IsValid() && !v.cfg.LeadsTo(a) {
				v.warn(fmt.Sprintf("backends[%d].also[%d]", i, j), a.String()+", to which no transparent listener leads",
					"a listener with it among the destinations")
			}
		}
	}
}
