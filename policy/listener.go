package policy

import (
	"net/netip"
	"slices"
)

// Listener is one place where clients arrive. In mode forward it is an address
// of this machine that stands in front of one domain controller or of several;
// transparent listeners take connections to the domain controllers' own
// addresses. The two kinds have different keys; validate_listener.go says which.
type Listener struct {
	// Name appears in logs and metrics.
	Name string `yaml:"name" need:"required"`
	// Mode is how the listener finds its backend. Default: forward.
	Mode Mode `yaml:"mode"`

	// Address (forward) is the IP address of this machine that clients use
	// instead of the domain controller's. The endpoint mapper listens on its
	// port 135.
	Address netip.Addr `yaml:"address"`
	// Backend (forward) is the name of the domain controller behind it.
	Backend string `yaml:"backend"`
	// Backends (forward) are the names of several, in place of Backend.
	Backends []string `yaml:"backends" need:"nonempty"`
	// EPMPort (forward) is the TCP port on which the endpoint mapper listens.
	// Default: 135, or none where the nspi_port of every backend says what there
	// is to know.
	EPMPort uint16 `yaml:"epm_port"`
	// ProxyProtocolFrom (forward) is where connections begin with a PROXY header
	// that names the client. Default: none.
	ProxyProtocolFrom []netip.Prefix `yaml:"proxy_protocol_from" need:"nonempty"`
	// ReferralName (forward) is the DNS name of this listener, which is written
	// into answers that refer clients to a server. Default: none, they stay.
	ReferralName HostName `yaml:"referral_name"`

	// Port (transparent) is the local TCP port to which packets are led.
	Port uint16 `yaml:"port"`
	// Destinations (transparent) are the networks of the domain controllers.
	Destinations []netip.Prefix `yaml:"destinations" need:"nonempty"`
	// Interfaces (transparent) are where clients arrive: names of interfaces, or
	// their beginnings with a *. Default: all but lo.
	Interfaces []InterfaceName `yaml:"interfaces" need:"nonempty"`
	// NSPIPorts (transparent) are TCP ports of NSPI that are fixed on these domain
	// controllers. The others are learnt. Default: none.
	NSPIPorts []uint16 `yaml:"nspi_ports" need:"nonempty"`
}

// LocalAddresses returns where a transparent listener listens: one address for each family
// of its destinations. A packet that is diverted (TPROXY) keeps its destination and may be
// led to loopback, where no other machine can connect; a redirected one arrives at the
// interface's address.
func (l *Listener) LocalAddresses() (list []netip.Addr) {
	four, six := netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()
	if l.Mode == ModeRedirect {
		four, six = netip.IPv4Unspecified(), netip.IPv6Unspecified()
	}
	if slices.ContainsFunc(l.Destinations, func(p netip.Prefix) bool { return p.Addr().Is4() }) {
		list = append(list, four)
	}
	if slices.ContainsFunc(l.Destinations, func(p netip.Prefix) bool { return p.Addr().Is6() }) {
		list = append(list, six)
	}
	return list
}

// setDefaults is called on each new listener: Defaults cannot hold them.
func (l *Listener) setDefaults() { l.Mode = ModeForward }

// Mode is how a listener finds its backend.
type Mode string

// The modes.
const (
	// ModeForward gives the listener an address of its own in front of backends.
	ModeForward Mode = "forward"
	// ModeTPROXY takes connections on their way through this machine and goes on
	// under the client's address.
	ModeTPROXY Mode = "tproxy"
	// ModeRedirect takes them too, and goes on under this machine's address.
	ModeRedirect Mode = "redirect"
)

// Transparent reports whether clients connect to the domain controllers' own
// addresses.
func (m Mode) Transparent() bool { return m == ModeTPROXY || m == ModeRedirect }
