//go:build lab

package transparent

import (
	"fmt"
	"net"
	"testing"
)

// took reports how many connections came to the stand-in.
func (s *standIn) took() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns) / 2
}

// TestWildcardsTakeConnectionsFromAllInterfacesTheyStandFor has a network whose
// clients arrive on r1.
func TestWildcardsTakeConnectionsFromAllInterfacesTheyStandFor(t *testing.T) {
	n := newNetwork(t)
	for _, family := range []string{dcIPv4, dcIPv6} {
		n.server.serve(t, net.JoinHostPort(family, "135"))
	}
	for _, mode := range []string{"tproxy", "redirect"} {
		start, port := startTPROXY, tproxyPort
		if mode == "redirect" {
			start, port = startREDIRECT, redirectPort
		}
		for interfaces, taken := range map[string]bool{`"r*"`: true, `eth9, "r*"`: true, `"ppp*", "r1*", "r2*"`: true, `"r1*"`: true, `"r2*"`: false, `"ppp*", "rr*"`: false} {
			p := plan(t, fmt.Sprintf(`{name: path, mode: %s, port: %d, destinations: [10.77.2.0/24, "fd77:2::/64"], interfaces: [%s]}`, mode, port, interfaces), "")
			apply(t, p, "")
			s := start(t)
			for _, family := range []string{dcIPv4, dcIPv6} {
				before := s.took()
				if err := n.client.connect(t, net.JoinHostPort(family, "135")).echo(10); err != nil {
					t.Errorf("%s from [%s]: %v", mode, interfaces, err)
				}
				if got := s.took() > before; got != taken {
					t.Errorf("%s from [%s], %s: taken %t, want %t", mode, interfaces, family, got, taken)
				}
			}
			s.kill()
		}
	}
}
