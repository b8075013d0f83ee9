package listen

import (
	"errors"
	"net/netip"
	"sync"
	"testing"
)

// portOf is a target on a domain controller.
func portOf(dc string, port uint16) target {
	return target{kind: targetPort, addr: netip.AddrPortFrom(netip.MustParseAddr(dc), port)}
}

// fakePorts is ports that are opened and closed, and where they lead.
type fakePorts struct {
	open   map[uint16]target
	opened int
}

func newFakePorts(taken ...uint16) *fakePorts {
	h := &fakePorts{open: make(map[uint16]target)}
	for _, port := range taken {
		h.open[port] = target{}
	}
	return h
}

// fakePort is one open port.
type fakePort struct {
	h    *fakePorts
	port uint16
}

func (b fakePort) Addr() netip.AddrPort {
	return netip.AddrPortFrom(netip.MustParseAddr("10.0.0.9"), b.port)
}
func (b fakePort) Close() { delete(b.h.open, b.port) }

func (h *fakePorts) listen(port uint16, t target) (mappedPort, error) {
	if _, taken := h.open[port]; taken {
		return nil, errors.New("address already in use")
	}
	for next := uint16(50001); port == 0; next++ {
		if _, taken := h.open[next]; !taken {
			port = next
		}
	}
	h.open[port] = t
	h.opened++
	return fakePort{h, port}, nil
}

func TestPortMapKeepsTheNumberWhereItIsFree(t *testing.T) {
	m := newPortMap(newFakePorts(49152).listen)
	for _, tc := range []struct{ target, want uint16 }{{49153, 49153}, {49152, 50001}, {49152, 50001}, {49153, 49153}} {
		if got, err := m.portFor(portOf("10.0.0.1", tc.target), tc.target); err != nil || got != tc.want {
			t.Errorf("portFor(%d) = %d, %v, want %d", tc.target, got, err, tc.want)
		}
	}
}

func TestPortMapHasOnePortForEachPlace(t *testing.T) {
	h := newFakePorts()
	m := newPortMap(h.listen)
	places := []target{portOf("10.0.0.1", 49153), portOf("10.0.0.2", 49153), {kind: targetNSPI}, {kind: targetMapper}}
	for range 2 {
		for _, p := range places {
			port, err := m.portFor(p, 49153)
			if err != nil || h.open[port] != p {
				t.Fatalf("%v is on port %d, which leads to %v: %v", p, port, h.open[port], err)
			}
		}
	}
	if h.opened != len(places) {
		t.Errorf("%d ports for %d places", h.opened, len(places))
	}
}

func TestPortMapOpensAPortOnceForAllLoops(t *testing.T) {
	h := newFakePorts()
	m := newPortMap(h.listen)
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() { _, _ = m.portFor(portOf("10.0.0.1", 49153), 49153) })
	}
	all.Wait()
	if h.opened != 1 {
		t.Errorf("opened %d times", h.opened)
	}
}

// A domain controller has other dynamic ports after each of its starts, and a proxy
// may run for years.
func TestPortsThatWereNamedFirstMakeRoom(t *testing.T) {
	h := newFakePorts()
	m := newPortMap(h.listen)
	fixed, _ := h.listen(135, target{kind: targetMapper})
	m.set(target{kind: targetMapper}, fixed)
	if _, err := m.portFor(portOf("10.0.0.2", 49153), 49153); err != nil {
		t.Fatal(err)
	}
	for port := uint16(1000); port < 1000+3*maxMappedPorts; port++ {
		if got, err := m.portFor(portOf("10.0.0.1", port), port); err != nil || got != port {
			t.Fatalf("port %d: %d, %v", port, got, err)
		}
		if len(h.open) > maxMappedPorts+2 {
			t.Fatalf("a domain controller can make the proxy open any number of ports: %d", len(h.open))
		}
	}
	if _, ok := m.lookup(portOf("10.0.0.1", 1000)); ok {
		t.Error("the first one is still there")
	}
	for _, p := range []target{portOf("10.0.0.1", 999+3*maxMappedPorts), portOf("10.0.0.2", 49153), {kind: targetMapper}} {
		if port, ok := m.lookup(p); !ok || h.open[port] != p {
			t.Errorf("%v is gone", p)
		}
	}
	if _, err := m.portFor(portOf("10.0.0.2", 0), 0); err == nil {
		t.Error("port 0 was mapped")
	}
}

func TestLearntPortsAreOpenedUnderTheirNumbers(t *testing.T) {
	h := newFakePorts(49160)
	m := newPortMap(h.listen)
	one, many := portOf("10.0.0.1", 49153), target{kind: targetNSPI}
	for _, tc := range []struct {
		target target
		number uint16
		opened int
		fails  bool
	}{
		{one, 49153, 1, false},
		{one, 49153, 1, false}, // the domain controller says it again
		{many, 49153, 1, true}, // leads elsewhere
		{portOf("10.0.0.1", 49160), 49160, 1, true},
		{many, 49161, 2, false},
		{many, 49162, 3, false}, // another domain controller of the pool
		{many, 49162, 3, false},
	} {
		if err := m.learnt(tc.target, tc.number); (err != nil) != tc.fails || h.opened != tc.opened {
			t.Errorf("%v under %d: %v; %d opened, want %d", tc.target, tc.number, err, h.opened, tc.opened)
		}
	}
	for target, want := range map[target]uint16{one: 49153, many: 49161} {
		if got, err := m.portFor(target, 49162); err != nil || got != want {
			t.Errorf("answers name port %d for %v, want %d", got, target, want)
		}
	}
	// A number that was not free is taken as soon as it is.
	if got, err := m.portFor(portOf("10.0.0.1", 49160), 49160); err != nil || got == 49160 {
		t.Fatalf("%d, %v", got, err)
	}
	delete(h.open, 49160)
	if err := m.learnt(portOf("10.0.0.1", 49160), 49160); err != nil || h.open[49160].addr.Port() != 49160 {
		t.Errorf("%v: %v", h.open[49160], err)
	}
}

// The domain controllers of a pool may restart for years. The port that answers name stays.
func TestLearntPortsOfAPoolMakeRoom(t *testing.T) {
	h := newFakePorts()
	m := newPortMap(h.listen)
	many := target{kind: targetNSPI}
	for number := uint16(1000); number < 1000+3*maxMappedPorts; number++ {
		if err := m.learnt(many, number); err != nil {
			t.Fatal(err)
		}
		if len(h.open) > maxMappedPorts+1 {
			t.Fatalf("%d ports", len(h.open))
		}
	}
	if got, err := m.portFor(many, 1); err != nil || got != 1000 {
		t.Errorf("answers name port %d: %v", got, err)
	}
}
