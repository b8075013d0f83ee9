package listen

import (
	"net/netip"
	"testing"

	"github.com/nspiproxy/nspiproxy/policy"
	"github.com/nspiproxy/nspiproxy/proxy/backend"
	"github.com/nspiproxy/nspiproxy/proxy/inspect"
)

// newTestListeners returns the listeners of a configuration, and the domain
// controllers that it names, which are not looked after.
func newTestListeners(config *policy.Config) *Listeners {
	var o backend.Options
	for _, b := range config.Backends {
		o.Backends = append(o.Backends, backend.Backend{Name: b.Name, Address: b.Address, Also: b.Also, EPMPort: b.EPMPort})
	}
	return New(Options{Config: config, Controllers: backend.New(o), Inspect: &inspect.Deps{Events: discard{}}})
}

// discard takes events that a test does not look at.
type discard struct{}

func (discard) Report(inspect.Event) {}
func (discard) Verbose() bool        { return false }

// A machine among the destinations that is no domain controller says that NSPI is
// everywhere on it: it must not take the place of those that are listed.
func TestPortsOfUnlistedMachinesLeaveRoomForListedOnes(t *testing.T) {
	config := policy.Defaults()
	config.Transparent.StateFile = policy.File(t.TempDir() + "/ports.json")
	config.Listeners = []policy.Listener{{Name: "path", Mode: policy.ModeRedirect, Port: 5135,
		Destinations: []netip.Prefix{netip.MustParsePrefix("127.57.0.0/16"), netip.MustParsePrefix("127.58.0.1/32")}}}
	l := newTestListeners(&config)
	l.Open()
	t.Cleanup(l.Close)
	n := l.interceptor
	many := make([]uint16, 64)
	for i := range many {
		many[i] = uint16(50000 + i)
	}
	at := l.Controllers.At
	addr := netip.MustParseAddr("127.57.0.1")
	for range 2 * maxLearnt / maxUnlisted {
		n.confirm(at(addr), backend.Ports{NSPI: many})               // too many at once
		n.confirm(at(addr), backend.Ports{NSPI: many[:maxUnlisted]}) // as many as it may have
		n.learn(at(addr), 60000, maxUnlisted, func() {})
		addr = addr.Next()
	}
	if got := len(n.ports.List()); got != maxLearnt {
		t.Errorf("%d ports are learnt, want %d", got, maxLearnt)
	}
	first := at(netip.MustParseAddr("127.57.0.1"))
	n.confirm(first, backend.Ports{NSPI: []uint16{50100}}) // it has moved, and needs no more room
	if !n.ports.Has(netip.AddrPortFrom(first.Addr, 50100)) || n.ports.Has(netip.AddrPortFrom(first.Addr, 50000)) {
		t.Error("one that has moved is not followed")
	}
	listed := at(netip.MustParseAddr("127.58.0.1"))
	n.confirm(listed, backend.Ports{NSPI: many})
	if !n.ports.Has(netip.AddrPortFrom(listed.Addr, many[63])) {
		t.Error("there is no room for a domain controller that is listed")
	}
}

func TestDomainControllersAreListedByAnyOfTheirAddresses(t *testing.T) {
	config := policy.Defaults()
	config.Listeners = []policy.Listener{{Name: "path", Mode: policy.ModeTPROXY, Port: 5135,
		Destinations: []netip.Prefix{netip.MustParsePrefix("10.0.5.0/24"), netip.MustParsePrefix("fd00:5::/64"), netip.MustParsePrefix("10.0.6.1/32")}}}
	config.Backends = []policy.Backend{{Name: "dc1", Address: netip.MustParseAddr("10.0.5.11"), Also: []netip.Addr{netip.MustParseAddr("fd00:5::11")}, EPMPort: 135}}
	l := newTestListeners(&config)
	n := &portInterceptor{all: l, listeners: config.TransparentListeners()}
	for text, want := range map[string]bool{"10.0.5.11": true, "fd00:5::11": true, "10.0.6.1": true, "10.0.5.12": false} {
		if n.listed(l.Controllers.At(netip.MustParseAddr(text))) != want {
			t.Errorf("%s is listed: %v", text, !want)
		}
	}
}
