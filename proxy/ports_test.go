package proxy

import (
	"errors"
	"net/netip"
	"sync"
	"testing"
)

// portOf is a place on a domain controller.
func portOf(dc string, port uint16) place {
	return place{kind: placePort, addr: netip.AddrPortFrom(netip.MustParseAddr(dc), port)}
}

func TestPortMapKeepsTheNumberWhereItIsFree(t *testing.T) {
	taken := map[uint16]bool{49152: true}
	next := uint16(50000)
	m := newPortMap(func(port uint16, _ place) (uint16, error) {
		if taken[port] {
			return 0, errors.New("address already in use")
		}
		if port == 0 {
			next++
			return next, nil
		}
		return port, nil
	})
	for _, tc := range []struct{ target, want uint16 }{{49153, 49153}, {49152, 50001}, {49152, 50001}, {49153, 49153}} {
		if got, err := m.portFor(portOf("10.0.0.1", tc.target), tc.target); err != nil || got != tc.want {
			t.Errorf("portFor(%d) = %d, %v, want %d", tc.target, got, err, tc.want)
		}
	}
}

func TestPortMapHasOnePortForEachPlace(t *testing.T) {
	open := map[uint16]place{}
	m := newPortMap(func(port uint16, p place) (uint16, error) {
		if _, taken := open[port]; taken {
			return 0, errors.New("address already in use")
		}
		if port == 0 {
			port = 50000 + uint16(len(open))
		}
		open[port] = p
		return port, nil
	})
	places := []place{portOf("10.0.0.1", 49153), portOf("10.0.0.2", 49153), {kind: placeNSPI}, {kind: placeMapper}}
	seen := map[uint16]bool{}
	for range 2 {
		for _, p := range places {
			port, err := m.portFor(p, 49153)
			if err != nil || open[port] != p {
				t.Fatalf("%v is on port %d, which leads to %v: %v", p, port, open[port], err)
			}
			seen[port] = true
		}
	}
	if len(seen) != len(places) || len(open) != len(places) {
		t.Errorf("ports %v for %d places", seen, len(places))
	}
}

func TestPortMapOpensAPortOnceForAllLoops(t *testing.T) {
	opened := 0
	m := newPortMap(func(port uint16, _ place) (uint16, error) { opened++; return port, nil })
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() { _, _ = m.portFor(portOf("10.0.0.1", 49153), 49153) })
	}
	all.Wait()
	if opened != 1 {
		t.Errorf("opened %d times", opened)
	}
}

func TestPortMapIsBounded(t *testing.T) {
	m := newPortMap(func(port uint16, _ place) (uint16, error) { return port, nil })
	for port := uint16(1); port <= maxMappedPorts; port++ {
		if _, err := m.portFor(portOf("10.0.0.1", port), port); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := m.portFor(portOf("10.0.0.1", 60000), 60000); err == nil {
		t.Error("a domain controller can make the proxy open any number of ports")
	}
	if _, err := m.portFor(portOf("10.0.0.2", 60000), 60000); err != nil {
		t.Errorf("another domain controller: %v", err)
	}
	if _, err := m.portFor(portOf("10.0.0.2", 0), 0); err == nil {
		t.Error("port 0 was mapped")
	}
}
