package policy

import "net/netip"

// Backend is one domain controller, or those that a DNS name has.
type Backend struct {
	// Name appears in rules, logs and metrics.
	Name string `yaml:"name" need:"required"`
	// Address is the IP address of the domain controller.
	Address netip.Addr `yaml:"address"`
	// SRV is a DNS name whose SRV records name domain controllers, in place of
	// Address. Each of them is a backend by itself.
	SRV HostName `yaml:"srv"`
	// DNSServer is asked for SRV and for the addresses behind it. Default: the
	// servers of /etc/resolv.conf.
	DNSServer netip.AddrPort `yaml:"dns_server"`
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
