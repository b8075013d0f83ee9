package backend

import (
	"net/netip"
	"testing"
)

// Loops ask these for every connection.
func TestLoopsAskWithoutAllocating(t *testing.T) {
	s := New(Options{Backends: []Backend{{Name: "a", Address: number(1)}, {Name: "b", Address: number(2), NSPIPort: 7}}})
	dc, fixed := s.At(number(1)), s.At(number(2))
	found, addr := s.At(netip.MustParseAddr("10.0.0.9")), netip.MustParseAddr("10.0.0.9")
	dc.observe(observation{kind: monitoringBegun})
	fixed.observe(observation{kind: monitoringBegun})
	load := loads{}.of
	for name, f := range map[string]func(){
		"State":            func() { _ = dc.State() },
		"Silent":           func() { _ = dc.Silent() },
		"LastProbe":        func() { _, _ = dc.LastProbe() },
		"names":            func() { _, _ = dc.BackendName(), dc.ServerName() },
		"TryTrial":         func() { dc.TryTrial() },
		"ClientOK":         func() { dc.ClientOK(7) },
		"NSPI":             func() { _ = dc.NSPI() },
		"DialOK":           func() { dc.DialOK(7) },
		"DialOK, any port": func() { fixed.DialOK(7); fixed.DialOK(8) },
		"Members and Pick": func() { s.Pick(s.Members("a"), load, nil) },
		"At, configured":   func() { s.At(dc.Addr) },
		"At, discovered":   func() { s.At(addr) },
		"Watch":            func() { s.Watch(dc) },
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
	if s.At(addr) != found {
		t.Error("another one")
	}
}
