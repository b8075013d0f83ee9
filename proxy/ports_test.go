package proxy

import (
	"errors"
	"sync"
	"testing"
)

func TestPortMapKeepsTheNumberWhereItIsFree(t *testing.T) {
	taken := map[uint16]bool{49152: true}
	next := uint16(50000)
	m := newPortMap(func(port, _ uint16) (uint16, error) {
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
		if got, err := m.portFor(tc.target); err != nil || got != tc.want {
			t.Errorf("portFor(%d) = %d, %v, want %d", tc.target, got, err, tc.want)
		}
	}
}

func TestPortMapOpensAPortOnceForAllLoops(t *testing.T) {
	opened := 0
	m := newPortMap(func(port, _ uint16) (uint16, error) { opened++; return port, nil })
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() { _, _ = m.portFor(49153) })
	}
	all.Wait()
	if opened != 1 {
		t.Errorf("opened %d times", opened)
	}
}

func TestPortMapIsBounded(t *testing.T) {
	m := newPortMap(func(port, _ uint16) (uint16, error) { return port, nil })
	for port := uint16(1); port <= maxMappedPorts; port++ {
		if _, err := m.portFor(port); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := m.portFor(60000); err == nil {
		t.Error("a domain controller can make the proxy open any number of ports")
	}
	if _, err := m.portFor(0); err == nil {
		t.Error("port 0 was mapped")
	}
}
