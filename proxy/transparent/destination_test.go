package transparent

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/nspiproxy/nspiproxy/policy"
)

// routes is router: where each network is. "-" is nowhere, "own" this machine.
type routes map[string]string

func (r routes) lookup(a netip.Addr) (routeTo, error) {
	best, out := -1, "-"
	for text, to := range r {
		if n := netip.MustParsePrefix(text); n.Contains(a) && n.Bits() > best {
			best, out = n.Bits(), to
		}
	}
	switch out {
	case "-":
		return routeTo{none: true}, nil
	case "own":
		return routeTo{own: true}, nil
	}
	return routeTo{out: out}, nil
}

// fewRoutes is how many the kernel would list.
const fewRoutes = 10

func (r routes) within(n netip.Prefix) (parts []netip.Prefix, known bool, err error) {
	for text, to := range r {
		p := netip.MustParsePrefix(text)
		if to == "-" || to == "own" || !p.Overlaps(n) {
			continue
		}
		if p.Bits() < n.Bits() {
			p = n
		}
		parts = append(parts, p)
	}
	return parts, len(r) < fewRoutes, nil
}

func TestDestinationsThatLeadNowhereAreFound(t *testing.T) {
	ordinary := routes{"10.0.5.0/24": "eth2", "10.0.5.1/32": "own", "10.1.0.0/16": "eth1", "10.1.0.1/32": "own", "fd00:5::/64": "eth2"}
	withDefault := routes{"0.0.0.0/0": "eth1", "10.0.5.0/24": "eth2", "10.66.0.0/16": "-"}
	for _, c := range []struct {
		what         string
		destinations string
		hosts        string
		routes       routes
		want         string
	}{
		{"its network", "10.0.5.0/24", "10.0.5.11", ordinary, ""},
		{"one host", "10.0.5.11/32 fd00:5::11/128", "", ordinary, ""},
		{"no route", "10.9.0.0/24 10.8.0.1/32 fd00:9::/64", "", ordinary, "NoRoute 10.9.0.0/24, 10.8.0.1, fd00:9::/64"},
		{"a part has a route", "10.0.0.0/8", "", ordinary, ""},
		{"a part has a route, a backend has none", "10.0.0.0/8", "10.0.5.11 10.9.0.1", ordinary, "NoRoute 10.9.0.1 (backend dc)"},
		{"own address", "10.0.5.1/32", "", ordinary, "OwnAddress 10.0.5.1"},
		{"own address as a backend", "10.0.5.0/24", "10.0.5.1", ordinary, "OwnAddress 10.0.5.1 (backend dc)"},
		{"a network of its own", "10.7.0.0/24", "", routes{"10.7.0.0/24": "own"}, "OwnAddress 10.7.0.0/24"},
		{"back", "10.1.2.0/24", "", ordinary, "RoutedBack 10.1.2.0/24 through eth1"},
		{"small networks", "10.0.5.0/31 10.0.5.4/30", "", ordinary, ""},
		{"only a part is not routed back", "10.0.0.0/16", "", withDefault, ""},
		{"routed by default", "172.16.0.0/12", "", withDefault, "RoutedBack 172.16.0.0/12 through eth1"},
		{"refused", "10.66.1.0/24", "", withDefault, "NoRoute 10.66.1.0/24"},
		{"a backend elsewhere is not looked at", "10.0.5.0/24", "10.9.0.1", ordinary, ""},
	} {
		l := policy.Listener{Interfaces: []policy.InterfaceName{"eth1"}}
		for _, d := range strings.Fields(c.destinations) {
			l.Destinations = append(l.Destinations, netip.MustParsePrefix(d))
		}
		var hosts []namedHost
		for _, h := range strings.Fields(c.hosts) {
			hosts = append(hosts, namedHost{"dc", netip.MustParseAddr(h)})
		}
		var ps problems
		if err := ps.checkDestinations(l, hosts, machine, c.routes); err != nil {
			t.Error(err)
		}
		if got := shorthand(ps); got != c.want {
			t.Errorf("%s: %q, want %q", c.what, got, c.want)
		}
	}
}

// Clients and domain controllers are both behind a transparent bridge.
func TestBridgesMayLeadBack(t *testing.T) {
	for interfaces, want := range map[policy.InterfaceName]string{"br0": "", "br*": "", "eth*": "", "eth4": "RoutedBack 10.0.5.0/24 through eth4"} {
		var ps problems
		l := policy.Listener{Interfaces: []policy.InterfaceName{interfaces}, Destinations: []netip.Prefix{netip.MustParsePrefix("10.0.5.0/24")}}
		out := strings.Replace(string(interfaces), "*", "0", 1)
		if err := ps.checkDestinations(l, nil, machine, routes{"10.0.5.0/24": out}); err != nil || shorthand(ps) != want {
			t.Errorf("%s: %v, %q, want %q", interfaces, err, shorthand(ps), want)
		}
	}
}

func TestTooManyRoutesAreNoProblem(t *testing.T) {
	many := routes{}
	for i := range 2 * fewRoutes {
		many[fmt.Sprintf("10.%d.77.0/24", i)] = "eth2"
	}
	var ps problems
	l := policy.Listener{Destinations: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}
	if err := ps.checkDestinations(l, nil, nil, many); err != nil || len(ps) != 0 {
		t.Errorf("%v, %v", err, ps)
	}
}

// failing is router without an answer.
type failing struct{}

var errFailing = errors.New("no answer")

func (failing) lookup(netip.Addr) (routeTo, error)                { return routeTo{}, errFailing }
func (failing) within(netip.Prefix) ([]netip.Prefix, bool, error) { return nil, false, errFailing }

func TestFailedLookupIsNotMissingRoute(t *testing.T) {
	var ps problems
	l := policy.Listener{Destinations: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}
	if err := ps.checkDestinations(l, nil, nil, failing{}); !errors.Is(err, errFailing) || len(ps) != 0 {
		t.Errorf("%v, %v", err, ps)
	}
}

func TestSamplesAreHostsOfTheirNetwork(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.SampledFrom([]int{4, 16}).Draw(t, "family")
		a, _ := netip.AddrFromSlice(rapid.SliceOfN(rapid.Byte(), size, size).Draw(t, "address"))
		n := netip.PrefixFrom(a, rapid.IntRange(0, a.BitLen()).Draw(t, "bits")).Masked()
		s := samples(n)
		if len(s) == 0 || n.IsSingleIP() != (len(s) == 1) {
			t.Fatalf("%v: %v", n, s)
		}
		for _, a := range s {
			if !n.Contains(a) || a == n.Addr() && a.BitLen()-n.Bits() > 1 {
				t.Fatalf("%v: %v", n, s)
			}
		}
	})
}
