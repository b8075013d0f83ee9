package lab

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

// Modes are the transparent modes with what the examples of configurations choose for when the proxy is down.
var Modes = map[string]string{"tproxy": "open", "redirect": "closed"}

// InBothModes runs a test in each transparent mode.
func InBothModes(t *testing.T, test func(t *testing.T, mode string)) {
	for mode := range Modes {
		t.Run(mode, func(t *testing.T) { test(t, mode) })
	}
}

// pathPort is where packets are led to, as in testdata/config/tproxy.yaml.
const pathPort = 5135

// StaticPort is a port of NSPI that is configured, as in testdata/config/tproxy.yaml.
const StaticPort = 6004

// listeners is testdata/config/tproxy.yaml, and redirect.yaml, with the addresses of the network.
func (o PathOptions) listeners(network *Network) string {
	if o.Clients == nil {
		o.Clients = network.Clients[:]
	}
	var interfaces, backends []string
	for _, m := range o.Clients {
		interfaces = append(interfaces, m.Name)
	}
	for _, m := range o.Listed {
		backends = append(backends, fmt.Sprintf("  - {name: %s, address: %s, also: ['%s']}", m.Name, m.Address, m.Address6))
	}
	text := fmt.Sprintf(`listeners:
  - name: path
    mode: %s
    port: %d
    destinations: [10.77.2.0/24, 10.77.4.0/24, "fd77:2::/64", "fd77:4::/64"]
    interfaces: [%s]
    nspi_ports: [%d]
`, o.Mode, pathPort, strings.Join(interfaces, ", "), StaticPort)
	if len(backends) > 0 {
		text += "backends:\n" + strings.Join(backends, "\n") + "\n"
	}
	return text
}

// ForwardBoth are listeners in mode forward on both addresses of the router, in front of the first domain controller.
func ForwardBoth(network *Network) string {
	return fmt.Sprintf(`listeners:
  - {name: four, mode: forward, address: '%s', backend: dc}
  - {name: six, mode: forward, address: '%s', backend: dc}
backends:
  - {name: dc, address: %s}
`, network.Router.Address, network.Router.Address6, network.DCs[0].Address)
}

// Family is what a test of both families asks a machine for.
type Family struct {
	Name   string
	Of     func(*Machine) netip.Addr      // its address
	More   func(*Machine, int) netip.Addr // further ones
	Router func(*Machine) netip.Addr      // the router's on its cable
}

// Families are both.
var Families = []Family{
	{"IPv4", func(m *Machine) netip.Addr { return m.Address }, (*Machine).More,
		(*Machine).RouterAddress},
	{"IPv6", func(m *Machine) netip.Addr { return m.Address6 }, (*Machine).More6,
		(*Machine).RouterAddress6},
}
