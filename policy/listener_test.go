package policy

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// pooled has backends of all kinds; tests append listeners.
const pooled = `version: 1
backends:
  - {name: a, address: 10.0.1.1}
  - {name: b, address: 10.0.1.2, nspi_port: 6004}
  - {name: c, address: "2001:db8::3", nspi_port: 6005}
  - {name: d, address: 10.0.1.4, nspi_port: 6004}
  - {name: s, srv: _gc._tcp.corp.example}
`

func TestListenerKnowsItsPoolAndItsPorts(t *testing.T) {
	for _, tc := range []struct {
		keys   string
		pool   string
		mapper uint16
		fixed  []uint16
	}{
		{"backend: a", "a", 135, []uint16{135}},
		{"backend: b", "b", 0, []uint16{6004}},
		{"backend: b, epm_port: 1135", "b", 1135, []uint16{1135, 6004}},
		{"backend: s", "s", 135, []uint16{135}},
		{"backends: [d, a, b]", "dab", 135, []uint16{135, 6004}},
		{"backends: [b, d]", "bd", 0, []uint16{6004}},
		{"backends: [c, b]", "cb", 0, []uint16{6005, 6004}},
	} {
		cfg := mustParse(t, pooled+"listeners: [{name: l, address: 10.0.0.1, "+tc.keys+"}]\n")
		l, pool := &cfg.Listeners[0], ""
		for _, b := range cfg.Pool(l) {
			pool += b.Name
		}
		if names := strings.Join(l.BackendNames(), ""); pool != tc.pool || names != tc.pool {
			t.Errorf("%s: pool %s, names %s", tc.keys, pool, names)
		}
		if mapper, fixed := cfg.MapperPort(l), cfg.fixedPorts(l); mapper != tc.mapper || !slices.Equal(fixed, tc.fixed) {
			t.Errorf("%s: endpoint mapper on %d, ports %v", tc.keys, mapper, fixed)
		}
	}
}

func TestTransparentListenerHasDestinationsAndNoBackends(t *testing.T) {
	cfg := mustParse(t, `version: 1
listeners:
  - {name: path, mode: tproxy, port: 5135, destinations: [10.0.1.0/24, "2001:db8::/64"]}
  - {name: front, address: 10.0.0.1, backend: a}
  - {name: host, mode: redirect, port: 5136, destinations: [10.0.2.7]}
backends: [{name: a, address: 10.0.3.1}]
`)
	transparent := cfg.TransparentListeners()
	if len(transparent) != 2 || transparent[0] != &cfg.Listeners[0] || transparent[1] != &cfg.Listeners[2] {
		t.Fatalf("%v", transparent)
	}
	path := transparent[0]
	if len(cfg.Pool(path))+len(path.BackendNames()) != 0 || cfg.MapperPort(path) != 0 {
		t.Errorf("pool %v, endpoint mapper on %d", cfg.Pool(path), cfg.MapperPort(path))
	}
	for address, want := range map[string]int{
		"10.0.1.0": 0, "10.0.1.255": 0, "2001:db8::1": 0, "10.0.2.7": 2, "10.0.2.8": -1, "10.0.3.1": -1, "10.0.0.1": -1, "2001:db9::1": -1,
	} {
		leads := func(l Listener) bool { return l.LeadsTo(netip.MustParseAddr(address)) }
		if got := slices.IndexFunc(cfg.Listeners, leads); got != want {
			t.Errorf("%s is a destination of listener %d, want %d", address, got, want)
		}
	}
	if cfg.Listeners[0].LeadsTo(netip.Addr{}) {
		t.Error("leads to no address")
	}
}

func TestPortOfARedirectIsNoneOfADomainControllers(t *testing.T) {
	for text, warnings := range map[string]int{"mode: redirect, port: 49152": 1, "mode: redirect, port: 49151": 0, "mode: tproxy, port: 49152": 0} {
		if got := mustParse(t, "version: 1\nlisteners: [{name: a, "+text+", destinations: [10.0.0.1]}]\n").Warnings; len(got) != warnings {
			t.Errorf("%s: %v, want %d warnings", text, got, warnings)
		}
	}
}

func TestTransparentListenersNeedNoBackend(t *testing.T) {
	cfg := mustParse(t, "version: 1\nlisteners: [{name: a, mode: tproxy, port: 1, destinations: [10.0.0.1]}]\n")
	if len(cfg.Warnings) != 0 || len(cfg.Backends) != 0 {
		t.Errorf("%+v", cfg)
	}
	_, err := Parse("t.yaml", []byte("version: 1\nlisteners: [{name: a, mode: tproxy, port: 1, destinations: [10.0.0.1]}, {name: b, address: 10.0.0.2, backend: a}]\n"))
	if want := "t.yaml:1:1: backends: found nothing, expected a list"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

func TestBackendAtADestinationIsUsed(t *testing.T) {
	for destinations, warnings := range map[string]int{"10.0.1.0/24": 0, "10.0.1.9": 0, "10.0.2.0/24": 1} {
		cfg := mustParse(t, "version: 1\nlisteners: [{name: a, mode: redirect, port: 1, destinations: ["+destinations+"]}]\nbackends: [{name: dc, address: 10.0.1.9}]\n")
		if len(cfg.Warnings) != warnings {
			t.Errorf("%s: %v", destinations, cfg.Warnings)
		}
	}
}

// TestTransparentListenersTakeDisjointPackets compares with every pair of
// interface and address that there is.
func TestTransparentListenersTakeDisjointPackets(t *testing.T) {
	network := rapid.Custom(func(t *rapid.T) string {
		a := netip.AddrFrom4([4]byte{10, 0, 0, rapid.ByteRange(0, 7).Draw(t, "host")})
		return netip.PrefixFrom(a, rapid.IntRange(29, 32).Draw(t, "bits")).Masked().String()
	})
	all := []string{"e0", "e1", "e2", "f0"}
	interfaces := rapid.SampledFrom([][]string{{}, {"e0"}, {"e1"}, {"e0", "e2"}, {"e*"}, {"f*", "e1"}, {"f*", "e*"}, {"e2*"}})
	rapid.Check(t, func(t *rapid.T) {
		text := "version: 1\nlisteners:\n"
		taken, overlap := map[string]bool{}, false
		for n := range rapid.IntRange(1, 3).Draw(t, "listeners") {
			p, on := network.Draw(t, "network"), interfaces.Draw(t, "interfaces")
			text += fmt.Sprintf("  - {name: l%d, mode: tproxy, port: %d, destinations: [%s]", n, n+1, p)
			from := all
			if len(on) > 0 {
				text += ", interfaces: [" + strings.Join(on, ", ") + "]"
				from = slices.DeleteFunc(slices.Clone(all), func(name string) bool {
					return !slices.ContainsFunc(on, func(pattern string) bool { return InterfaceName(pattern).Matches(name) })
				})
			}
			text += "}\n"
			prefix := netip.MustParsePrefix(p)
			for _, name := range from {
				for a := prefix.Addr(); prefix.Contains(a); a = a.Next() {
					overlap = overlap || taken[name+a.String()]
					taken[name+a.String()] = true
				}
			}
		}
		if _, err := Parse("t.yaml", []byte(text)); (err != nil) != overlap {
			t.Fatalf("%s: error %v, overlap %v", text, err, overlap)
		}
	})
}

func TestListsOfAListenerAreBounded(t *testing.T) {
	many := numbered(maxListed+1, "%[1]d,")
	for keys, want := range map[string]string{
		"mode: tproxy, port: 1, destinations: [10.0.0.1], nspi_ports: [" + strings.ReplaceAll(many, ",", "9,") + "]":  "nspi_ports",
		"mode: tproxy, port: 1, destinations: [10.0.0.1], interfaces: [" + numbered(maxListed+1, "e%[1]d,") + "]":     "interfaces",
		"mode: tproxy, port: 1, destinations: [" + numbered(maxListed+1, "2001:db8:%[1]x::/48,") + "]":                "destinations",
		"address: 10.0.0.1, backend: a, proxy_protocol_from: [" + numbered(maxListed+1, "2001:db8:%[1]x::/48,") + "]": "proxy_protocol_from",
	} {
		_, err := Parse("t.yaml", []byte(pooled+"listeners: [{name: a, "+keys+"}]\n"))
		if want := fmt.Sprintf("listeners[0].%s: found %d entries, expected at most %d", want, maxListed+1, maxListed); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if _, err := Parse("t.yaml", []byte(transparentListeners(maxTransparent+1, 1))); err == nil ||
		!strings.Contains(err.Error(), fmt.Sprintf("found %d transparent listeners, expected at most %d", maxTransparent+1, maxTransparent)) {
		t.Errorf("%v", err)
	}
}

// The packet filter leads connections to such an address here before the forward
// listener sees them. They come to it in the end, by the transparent one: two
// listeners count each session, under two names.
func TestForwardListenerAmongTheDestinationsIsWarnedOf(t *testing.T) {
	const file = `version: 1
backends: [{name: a, address: 10.0.1.1}]
listeners:
  - {name: front, address: %s, backend: a}
  - {name: path, mode: tproxy, port: 5135, destinations: [10.0.1.0/24]}
`
	for address, want := range map[string]int{"10.0.1.20": 1, "10.0.2.20": 0} {
		cfg := mustParse(t, fmt.Sprintf(file, address))
		if len(cfg.Warnings) != want {
			t.Errorf("%s: warnings %v", address, cfg.Warnings)
		}
		for _, w := range cfg.Warnings {
			if !strings.Contains(w.Error(), "listeners[0].address") || !strings.Contains(w.Error(), "path") {
				t.Errorf("%s: %v", address, w)
			}
		}
	}
}
