package proxy

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/nspiproxy/nspiproxy/policy"
)

// Who reaches a domain controller by another of its addresses must find the same
// limit and the same rules there.
func TestAddressesOfOneDomainControllerAreOneForRulesAndCounting(t *testing.T) {
	config := policy.Defaults()
	first, second := netip.MustParseAddr("127.4.0.1"), netip.MustParseAddr("fd00:4::1")
	elsewhere, other := netip.MustParseAddr("fd00:5::1"), netip.MustParseAddr("127.4.0.2")
	config.Listeners = []policy.Listener{{Name: "path", Mode: policy.ModeTPROXY, Port: 5135,
		Destinations: []netip.Prefix{netip.MustParsePrefix("127.4.0.0/24"), netip.MustParsePrefix("fd00:4::/64")}}}
	config.Backends = []policy.Backend{{Name: "dc1", Address: first, Also: []netip.Addr{second, elsewhere}, EPMPort: 135, NSPIPort: 6004}}
	s, err := New(&config, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.group.Shutdown(expired()) })
	for addr, want := range map[netip.Addr]string{first: "dc1", second: "dc1", other: "127.4.0.2"} {
		dc := s.controllers.At(addr)
		if counted, rules := dc.ServerName(), dc.BackendName(); counted != want || rules != want {
			t.Errorf("%s is counted as %s, and %s for rules, want %s", addr, counted, rules, want)
		}
	}
	var watched []netip.Addr
	for _, dc := range s.controllers.All() {
		watched = append(watched, dc.Addr)
		if ports := dc.NSPI(); !slices.Equal(ports, []uint16{6004}) {
			t.Errorf("NSPI is on %v of %s", ports, dc.Addr)
		}
	}
	if !slices.Equal(watched, []netip.Addr{first, second}) {
		t.Errorf("from the start %v are looked after: the listener does not lead to %s", watched, elsewhere)
	}
	if _, err := s.reporter.Registry().Gather(); err != nil {
		t.Error(err)
	}
}
