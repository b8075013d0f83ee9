package listen

import (
	"context"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/internal/testkit/simdc"
	"github.com/nspiproxy/nspiproxy/policy"
	"github.com/nspiproxy/nspiproxy/proxy/backend"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
	"github.com/nspiproxy/nspiproxy/rpcparse/tower"
)

// newTestInterceptor is that of a redirect listener for 127.57.0.0/16, in which
// 127.57.1.1 is listed as dc1.
func newTestInterceptor(t *testing.T, process policy.Switch, epmPort uint16) *portInterceptor {
	t.Helper()
	config := policy.Defaults()
	config.Transparent.StateFile = policy.File(t.TempDir() + "/ports.json")
	config.Transparent.SameProcess = process
	config.Listeners = []policy.Listener{{Name: "path", Mode: policy.ModeRedirect, Port: 5135,
		Destinations: []netip.Prefix{netip.MustParsePrefix("127.57.0.0/16")}}}
	config.Backends = []policy.Backend{{Name: "dc1", Address: netip.MustParseAddr("127.57.1.1"), EPMPort: epmPort}}
	l := newTestListeners(&config)
	l.Open()
	t.Cleanup(l.Close)
	return l.interceptor
}

func (n *portInterceptor) at(addr string) *backend.DC {
	return n.all.Controllers.At(netip.MustParseAddr(addr))
}

func many(first uint16, n int) (ports []uint16) {
	for i := range n {
		ports = append(ports, first+uint16(i))
	}
	return ports
}

func TestPortsOfTheProcessAreInterceptedWhereTheConfigurationSaysSo(t *testing.T) {
	told := backend.Ports{NSPI: []uint16{49155}, Process: []uint16{49152, 49155, 49160}}
	for process, want := range map[policy.Switch][]uint16{
		policy.SwitchOn: {49152, 49155, 49160}, policy.SwitchOff: {49155}, policy.SwitchUnset: {49155},
	} {
		n := newTestInterceptor(t, process, 135)
		for _, dc := range []*backend.DC{n.at("127.57.1.1"), n.at("127.57.0.9")} {
			n.confirm(dc, told)
			if got := n.ports.Of(dc.Addr); !slices.Equal(got, want) {
				t.Errorf("%v, %s: %v are intercepted, want %v", process, dc.Name, got, want)
			}
		}
	}
}

// After a restart NSPI is told first: until the rest is, what was learnt before stands.
func TestPortsOfAnEarlierRunStandUntilTheProcessIsTold(t *testing.T) {
	n := newTestInterceptor(t, policy.SwitchOn, 135)
	dc := n.at("127.57.1.1")
	n.confirm(dc, backend.Ports{NSPI: []uint16{49155}, Process: []uint16{49152, 49160}})
	n.confirm(dc, backend.Ports{NSPI: []uint16{49156}})
	if got := n.ports.Of(dc.Addr); !slices.Equal(got, []uint16{49152, 49155, 49156, 49160}) {
		t.Errorf("%v are intercepted", got)
	}
	n.confirm(dc, backend.Ports{NSPI: []uint16{49156}, Process: []uint16{49153}})
	if got := n.ports.Of(dc.Addr); !slices.Equal(got, []uint16{49153, 49156}) {
		t.Errorf("%v are intercepted", got)
	}
}

// Whatever a machine says of other interfaces, NSPI is intercepted, and the room of
// others stays.
func TestManyPortsOfTheProcessLeaveNSPIIntercepted(t *testing.T) {
	n := newTestInterceptor(t, policy.SwitchOn, 135)
	for _, dc := range []*backend.DC{n.at("127.57.1.1"), n.at("127.57.0.9")} {
		n.confirm(dc, backend.Ports{NSPI: []uint16{60000}, Process: many(50000, 1000)})
		got := n.ports.Of(dc.Addr)
		if !slices.Contains(got, 60000) || !slices.Contains(got, 50000) {
			t.Errorf("%s: %v are intercepted", dc.Name, got)
		}
		if atMost := map[bool]int{true: 64, false: maxUnlistedProcess}[n.listed(dc)]; len(got) != atMost {
			t.Errorf("%s: %d ports are intercepted, want %d", dc.Name, len(got), atMost)
		}
	}
	addr := netip.MustParseAddr("127.57.2.1")
	for range 2 * maxLearnt / maxUnlistedProcess {
		n.confirm(n.all.Controllers.At(addr), backend.Ports{NSPI: []uint16{60000}, Process: many(50000, 40)})
		addr = addr.Next()
	}
	if got := len(n.ports.List()); got > maxLearnt+64+maxUnlistedProcess {
		t.Errorf("%d ports are learnt", got)
	}
	listed := n.at("127.57.1.1")
	n.confirm(listed, backend.Ports{NSPI: []uint16{60001}, Process: []uint16{60002}})
	if got := n.ports.Of(listed.Addr); !slices.Equal(got, []uint16{60001, 60002}) {
		t.Errorf("%v are intercepted of one that is listed", got)
	}
}

func endpointOf(iface rpcparse.SyntaxID, port uint16) tower.Endpoint {
	return tower.Endpoint{Interface: iface, Protocol: tower.ProtocolTCP, Port: port}
}

// interfaceOf is one of the process, by its name.
func interfaceOf(t *testing.T, name string) rpcparse.SyntaxID {
	t.Helper()
	for _, i := range nspi.Process {
		if i.Name == name {
			return i.Syntax
		}
	}
	t.Fatalf("no interface %s", name)
	return rpcparse.SyntaxID{}
}

// What a client is told leads to the proxy before the client knows: of a domain
// controller that has NSPI. Half the machines of a network have SAMR.
func TestPortsOfTheProcessAreLearntFromAnswersToClients(t *testing.T) {
	sim, err := simdc.Start(simdc.Config{Address: "127.57.1.1"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sim.Close)
	epm := sim.EPMAddr().Port()
	n := newTestInterceptor(t, policy.SwitchOn, epm)
	dc, other := n.at("127.57.1.1"), n.at("127.57.0.9")
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	go n.all.Controllers.Run(ctx)
	for end := time.Now().Add(20 * time.Second); len(dc.NSPI()) == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("its port is not known")
		}
	}
	samr, echo := interfaceOf(t, "samr"), simdc.EchoInterface
	on, at := interceptedDC{n, dc}, interceptedDC{n, other}
	if !on.Intercept(endpointOf(samr, 50001), func() {}) {
		t.Error("a port of SAMR is not fresh")
	}
	if on.Intercept(endpointOf(echo, 50002), func() {}) || at.Intercept(endpointOf(samr, 50003), func() {}) {
		t.Error("a port is intercepted that is not of the process of NSPI")
	}
	if got := n.ports.Of(dc.Addr); !slices.Equal(got, []uint16{50001}) {
		t.Errorf("%v are learnt", got)
	}
	if got := n.ports.Of(other.Addr); len(got) != 0 {
		t.Errorf("%v are learnt of a machine without NSPI", got)
	}
	watched := func() bool { return slices.Contains(n.all.Controllers.All(), other) }
	if watched() {
		t.Error("a machine with SAMR is taken for a domain controller")
	}
	at.Intercept(endpointOf(interfaceOf(t, "drsuapi"), 50004), func() {})
	if !watched() {
		t.Error("a machine with DRSUAPI is not asked for NSPI")
	}
}
