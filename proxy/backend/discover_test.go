package backend

import (
	"context"
	"net/netip"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/internal/testkit/closedport"
	"github.com/nspiproxy/nspiproxy/internal/testkit/simdc"
)

// number returns the n-th address of 127.1.0.0/16, where nobody listens.
func number(n int) netip.Addr { return netip.AddrFrom4([4]byte{127, 1, byte(n >> 8), byte(n)}) }

func TestAddressIsADomainControllerByItself(t *testing.T) {
	s := New(Options{Backends: []Backend{
		{Name: "dc1", Address: number(1)},
		{Name: "again", Address: number(1), NSPIPort: 7},
	}})
	if got := s.At(number(1)); got.Name != "dc1" || got != s.Members("dc1")[0] {
		t.Errorf("%s at a configured address", got.Name)
	}
	for _, text := range []string{"10.0.0.9", "fd00::9"} {
		addr := netip.MustParseAddr(text)
		dc := s.At(addr)
		if dc.Name != text || dc.BackendName() != text || dc.ServerName() != text || dc.Addr != addr || dc.EPM != netip.AddrPortFrom(addr, 135) || dc.State() != Serving {
			t.Errorf("%+v", dc)
		}
		if s.At(addr) != dc {
			t.Errorf("%s is another one the second time", text)
		}
	}
	if s.At(netip.MustParseAddr("::ffff:10.0.0.9")) != s.At(netip.MustParseAddr("10.0.0.9")) {
		t.Error("two of one address")
	}
}

func TestLatestAddressesAreRemembered(t *testing.T) {
	s := New(Options{})
	first, second := s.At(number(0)), s.At(number(1))
	for n := range maxDiscovered {
		if s.At(number(n + 1)); s.At(number(0)) != first {
			t.Fatalf("forgotten after %d, though asked for all the time", n)
		}
	}
	if got := s.At(number(1)); got == second || got.Name != second.Name {
		t.Errorf("%d and more are remembered", maxDiscovered)
	}
	if n := s.discovered.Len(); n != maxDiscovered {
		t.Errorf("%d are remembered", n)
	}
}

func TestNewAddressIsOneForAllWhoMeetIt(t *testing.T) {
	s := New(Options{})
	for n := range 50 {
		var meet sync.WaitGroup
		got := make([]*DC, 4)
		for i := range got {
			meet.Go(func() { got[i] = s.At(number(n)) })
		}
		meet.Wait()
		if slices.ContainsFunc(got, func(dc *DC) bool { return dc != got[0] }) {
			t.Fatal("two of one address")
		}
	}
}

// discovering makes a set that takes real and simulated domain controllers at
// any address for discovered ones.
func discovering(epmPort uint16) (*Set, *reports) {
	d := &reports{}
	return New(d.into(Options{EPMPort: epmPort, EndpointInterval: 5 * time.Millisecond})), d
}

func TestWatchedAddressIsLookedAfter(t *testing.T) {
	sim := startDC(t, simdc.Config{})
	s, d := discovering(sim.EPMAddr().Port())
	dc := s.At(sim.EPMAddr().Addr())
	if s.Watch(dc) {
		t.Fatal("watched by nobody")
	}
	stop := run(t, s)
	eventually(t, "it is watched", func() bool { return s.Watch(dc) })
	eventually(t, "its port is known", func() bool { return reflect.DeepEqual(d.portsReported(dc), [][]uint16{nspiPorts(sim)}) })
	if !s.Watch(dc) || s.At(dc.Addr) != dc || !slices.Equal(s.All(), []*DC{dc}) {
		t.Error("it is not the same any more")
	}
	for n := range maxDiscovered + 1 {
		s.At(number(n))
	}
	if s.At(dc.Addr) != dc {
		t.Error("forgotten, though it is watched")
	}
	stop()
	if s.Watch(dc) || len(s.All()) != 0 {
		t.Error("watched after the end")
	}
}

func TestUnwatchedAddressIsAlwaysTakenForServing(t *testing.T) {
	s, _ := discovering(closedport.New(t).Port())
	run(t, s)
	dc := s.At(number(1))
	for range 10 {
		dc.DialFailed(7, true)
	}
	if dc.State() != Serving {
		t.Error(dc.State())
	}
	eventually(t, "it is watched", func() bool { return s.Watch(dc) })
	eventually(t, "its end is noticed", func() bool { dc.DialFailed(7, true); return dc.State() == Unreachable })
}

func TestSoManyAddressesAreWatchedAndNoMore(t *testing.T) {
	s, _ := discovering(closedport.New(t).Port())
	run(t, s)
	eventually(t, "the first is watched", func() bool { return s.Watch(s.At(number(0))) })
	for n := range maxWatched {
		if got := s.Watch(s.At(number(n))); !got {
			t.Fatalf("%d are watched", n)
		}
	}
	if s.Watch(s.At(number(maxWatched))) {
		t.Error("one more than may be is watched")
	}
	if !s.Watch(s.At(number(0))) {
		t.Error("an old one is not watched any more")
	}
}

func TestAddressWithoutNSPIMakesRoom(t *testing.T) {
	m := newFakeMapper(t)
	s, d := discovering(m.addr.Port())
	s.unseen = 20 * time.Millisecond
	run(t, s)
	dc := s.At(m.addr.Addr())
	eventually(t, "it is watched", func() bool { return s.Watch(dc) })
	eventually(t, "it makes room", func() bool { return len(s.All()) == 0 })
	if s.At(dc.Addr) != dc || d.has(EPMDown) {
		t.Errorf("forgotten; told %v", d.kinds())
	}
	m.set(func() { m.ports = []uint16{10} })
	eventually(t, "it is watched again", func() bool { return s.Watch(dc) && slices.Equal(dc.NSPI(), []uint16{10}) })
	asked := m.count(&m.asked)
	eventually(t, "it stays", func() bool { return m.count(&m.asked) > asked+20 })
	if !slices.Equal(s.All(), []*DC{dc}) {
		t.Error("it is not watched any more")
	}
}

// An address that does not even answer makes room as well.
func TestAddressThatHasGoneMakesRoom(t *testing.T) {
	s, _ := discovering(closedport.New(t).Port())
	s.unseen = 20 * time.Millisecond
	run(t, s)
	eventually(t, "it is watched", func() bool { return s.Watch(s.At(number(1))) })
	eventually(t, "it makes room", func() bool { return len(s.All()) == 0 })
}

func TestDiscoveredAddressThatDNSNamesIsTheOneOfDNS(t *testing.T) {
	m := newFakeMapper(t, 10)
	d := &reports{}
	s := New(d.into(Options{
		EPMPort: m.addr.Port(), EndpointInterval: 5 * time.Millisecond,
		Backends: []Backend{{Name: "site", SRV: srvName, EPMPort: m.addr.Port()}},
	}))
	var mu sync.Mutex
	answer := targets{list: []target{{host: "dc9", addr: number(9)}}, named: 1}
	s.srv[0].lookup = func(context.Context, string, map[string]netip.Addr) (targets, error) {
		mu.Lock()
		defer mu.Unlock()
		return answer, nil
	}
	s.srv[0].minTTL = time.Millisecond
	run(t, s)
	found := s.At(m.addr.Addr())
	eventually(t, "the address is watched", func() bool { return s.Watch(found) && len(found.NSPI()) > 0 })
	says := func(list ...target) {
		mu.Lock()
		defer mu.Unlock()
		answer.list = list
	}
	says(target{host: "dc1", addr: m.addr.Addr()})
	eventually(t, "DNS names it", func() bool { return s.At(found.Addr).Name == "site/dc1" })
	dc := s.At(found.Addr)
	eventually(t, "its port is known", func() bool { return slices.Equal(dc.NSPI(), []uint16{10}) })
	if !s.Watch(found) || !s.Watch(dc) || !slices.Equal(s.All(), []*DC{dc}) {
		t.Errorf("monitored: %q", names(s.All()))
	}

	// It leaves DNS again, but clients still go there.
	says(target{host: "dc9", addr: number(9)})
	eventually(t, "it has left", func() bool { return !slices.Contains(s.All(), dc) })
	if s.At(dc.Addr) != dc {
		t.Error("its address is somebody else's")
	}
	eventually(t, "it is watched", func() bool { return s.Watch(dc) })
	asked := m.count(&m.asked)
	says(target{host: "dc8", addr: number(8)})
	eventually(t, "others come and go", func() bool { return s.Members("site")[0].Name == "site/dc8" })
	eventually(t, "it is still asked", func() bool { return m.count(&m.asked) > asked+5 })
	says(target{host: "dc1", addr: m.addr.Addr()})
	eventually(t, "it is back", func() bool { return slices.Equal(s.Members("site"), []*DC{dc}) && slices.Equal(s.All(), []*DC{dc}) })
	if n := len(s.watched); n != 0 {
		t.Errorf("%d watched besides", n)
	}
}

// Each address has a health of its own; rules, counting and logs take them for
// one domain controller.
func TestFurtherAddressesBelongToTheirDomainController(t *testing.T) {
	s := New(Options{Backends: []Backend{
		{Name: "dc1", Address: number(1), Also: []netip.Addr{number(2)}, EPMPort: 1135, NSPIPort: 7},
		{Name: "dc2", Address: number(3)},
	}})
	first, further := s.At(number(1)), s.At(number(2))
	for _, dc := range []*DC{first, further} {
		if dc.BackendName() != "dc1" || dc.ServerName() != "dc1" || dc.EPM.Port() != 1135 || !slices.Equal(dc.NSPI(), []uint16{7}) {
			t.Errorf("%+v", dc)
		}
	}
	if further.Name != number(2).String() || further == first {
		t.Errorf("%s and %s are alike", further.Name, first.Name)
	}
	if got := s.Members("dc1"); !slices.Equal(got, []*DC{first}) {
		t.Errorf("members %q", names(got))
	}
	if got, want := names(s.All()), names([]*DC{first, s.At(number(3)), further}); !slices.Equal(got, want) {
		t.Errorf("monitored: %q, want %q", got, want)
	}
	for _, dc := range []*DC{first, further} {
		dc.observe(observation{kind: monitoringBegun})
	}
	for range 3 {
		further.DialFailed(7, true)
	}
	if first.State() != Serving || further.State() != Unreachable {
		t.Errorf("%v and %v", first.State(), further.State())
	}
}
