package lab

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

// pathModes are the transparent modes with what the examples of configurations choose for when the proxy is down.
var pathModes = map[string]string{"tproxy": "open", "redirect": "closed"}

// inBothModes runs a test in each transparent mode.
func inBothModes(t *testing.T, test func(t *testing.T, mode string)) {
	for mode := range pathModes {
		t.Run(mode, func(t *testing.T) { test(t, mode) })
	}
}

// pathPort is where packets are led to, and staticPort a port of NSPI that is configured: as in testdata/config/tproxy.yaml.
const pathPort, staticPort = 5135, 6004

// listeners is testdata/config/tproxy.yaml, and redirect.yaml, with the addresses of the network.
func (o pathOptions) listeners(network *Network) string {
	if o.clients == nil {
		o.clients = network.Clients[:]
	}
	var interfaces, backends []string
	for _, m := range o.clients {
		interfaces = append(interfaces, m.Name)
	}
	for _, m := range o.listed {
		backends = append(backends, fmt.Sprintf("  - {name: %s, address: %s, also: ['%s']}", m.Name, m.Address, m.Address6))
	}
	text := fmt.Sprintf(`listeners:
  - name: path
    mode: %s
    port: %d
    destinations: [10.77.2.0/24, 10.77.4.0/24, "fd77:2::/64", "fd77:4::/64"]
    interfaces: [%s]
    nspi_ports: [%d]
`, o.mode, pathPort, strings.Join(interfaces, ", "), staticPort)
	if len(backends) > 0 {
		text += "backends:\n" + strings.Join(backends, "\n") + "\n"
	}
	return text
}

// forwardBoth are listeners in mode forward on both addresses of the router, in front of the first domain controller.
func forwardBoth(network *Network) string {
	return fmt.Sprintf(`listeners:
  - {name: four, mode: forward, address: '%s', backend: dc}
  - {name: six, mode: forward, address: '%s', backend: dc}
backends:
  - {name: dc, address: %s}
`, network.Router.Address, network.Router.Address6, network.DCs[0].Address)
}

// pathFamily is what a test of both families asks a machine for.
type pathFamily struct {
	name   string
	of     func(*Machine) netip.Addr      // its address
	more   func(*Machine, int) netip.Addr // further ones
	router func(*Machine) netip.Addr      // the router's on its cable
}

var pathFamilies = []pathFamily{
	{"IPv4", func(m *Machine) netip.Addr { return m.Address }, (*Machine).More,
		(*Machine).RouterAddress},
	{"IPv6", func(m *Machine) netip.Addr { return m.Address6 }, (*Machine).More6,
		(*Machine).RouterAddress6},
}
