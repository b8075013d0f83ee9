package transparent

import (
	"errors"
	"net/netip"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// model is a store as simple as can be.
type model map[netip.AddrPort]bool

func (m model) list() []netip.AddrPort {
	all := make([]netip.AddrPort, 0, len(m))
	for p := range m {
		all = append(all, p)
	}
	slices.SortFunc(all, netip.AddrPort.Compare)
	return all
}

func (m model) of(a netip.Addr) (ports []uint16) {
	for _, p := range m.list() {
		if p.Addr() == a {
			ports = append(ports, p.Port())
		}
	}
	return ports
}

// drawAddr draws from few addresses, so that they meet.
func drawAddr(t *rapid.T) netip.Addr {
	return rapid.SampledFrom([]netip.Addr{
		netip.MustParseAddr("10.0.5.11"), netip.MustParseAddr("10.0.5.12"), netip.MustParseAddr("fd00:5::11"),
	}).Draw(t, "address")
}

// port draws from more ports than one address may have.
var port = rapid.Uint16Range(1, MaxPortsPerAddress+10)

func TestPortsAreAsInTheModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		store, known := newPorts(), model{}
		t.Repeat(map[string]func(*rapid.T){
			"learn": func(t *rapid.T) {
				p := netip.AddrPortFrom(drawAddr(t), port.Draw(t, "port"))
				full := !known[p] && len(known.of(p.Addr())) == MaxPortsPerAddress
				isNew, err := store.Learn(p)
				if isNew != (!known[p] && !full) || errors.Is(err, ErrPortLimit) != full || (err != nil) != full {
					t.Fatalf("Learn(%s) = %v, %v with %d known there", p, isNew, err, len(known.of(p.Addr())))
				}
				if !full {
					known[p] = true
				}
			},
			"confirm": func(t *rapid.T) {
				addr, ports := drawAddr(t), rapid.SliceOfN(port, 0, 2*MaxPortsPerAddress).Draw(t, "ports")
				now := slices.Compact(slices.Sorted(slices.Values(ports)))
				was := known.of(addr)
				added, removed, err := store.Confirm(addr, ports)
				if tooMany := len(now) > MaxPortsPerAddress; tooMany {
					if !errors.Is(err, ErrPortLimit) || added != nil || removed != nil {
						t.Fatalf("Confirm of %d ports = %v, %v, %v", len(now), added, removed, err)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				checkDifference(t, was, now, added, removed)
				for _, p := range was {
					delete(known, netip.AddrPortFrom(addr, p))
				}
				for _, p := range now {
					known[netip.AddrPortFrom(addr, p)] = true
				}
			},
			"": func(t *rapid.T) {
				if got := store.List(); !slices.Equal(got, known.list()) || store.count != len(got) {
					t.Fatalf("list %v, count %d, want %v", got, store.count, known.list())
				}
				p := netip.AddrPortFrom(drawAddr(t), port.Draw(t, "port"))
				if store.Has(p) != known[p] {
					t.Fatalf("Has(%s) = %v", p, store.Has(p))
				}
			},
		})
	})
}

// checkDifference checks what Confirm said against what it was told.
func checkDifference(t *rapid.T, was, now, added, removed []uint16) {
	for _, p := range added {
		if slices.Contains(was, p) || !slices.Contains(now, p) {
			t.Fatalf("port %d was added to %v: %v", p, was, now)
		}
	}
	for _, p := range removed {
		if !slices.Contains(was, p) || slices.Contains(now, p) {
			t.Fatalf("port %d was removed from %v: %v", p, was, now)
		}
	}
	if len(was)+len(added)-len(removed) != len(now) {
		t.Fatalf("from %v to %v: added %v, removed %v", was, now, added, removed)
	}
}

func TestPortsOfAllAddressesAreBounded(t *testing.T) {
	store := newPorts()
	addr := netip.MustParseAddr("10.0.0.0")
	for range maxPorts {
		addr = addr.Next()
		if isNew, err := store.Learn(netip.AddrPortFrom(addr, 49152)); err != nil || !isNew {
			t.Fatal(isNew, err)
		}
	}
	if isNew, err := store.Learn(netip.AddrPortFrom(addr, 49153)); isNew || !errors.Is(err, ErrPortLimit) {
		t.Errorf("one more is learnt: %v, %v", isNew, err)
	}
	if _, _, err := store.Confirm(addr, []uint16{1, 2}); !errors.Is(err, ErrPortLimit) {
		t.Errorf("one more is confirmed: %v", err)
	}
	if added, removed, err := store.Confirm(addr, []uint16{1}); err != nil || len(added) != 1 || len(removed) != 1 {
		t.Errorf("an exchange of one for one: added %v, removed %v, error %v", added, removed, err)
	}
}

func TestWhatIsNoEndpointIsNotLearnt(t *testing.T) {
	store := newPorts()
	for _, p := range []netip.AddrPort{
		{},
		netip.AddrPortFrom(netip.MustParseAddr("10.0.5.11"), 0),
		netip.MustParseAddrPort("0.0.0.0:135"),
		netip.MustParseAddrPort("[::]:135"),
		netip.MustParseAddrPort("[fe80::1%eth0]:135"),
		netip.MustParseAddrPort("[::ffff:10.0.5.11]:135"),
		netip.MustParseAddrPort("224.0.0.1:135"),
	} {
		if isNew, err := store.Learn(p); isNew || err == nil {
			t.Errorf("%v is learnt", p)
		}
		if _, _, err := store.Confirm(p.Addr(), []uint16{p.Port()}); err == nil {
			t.Errorf("%v is confirmed", p)
		}
	}
	if got := store.List(); len(got) != 0 {
		t.Errorf("learnt %v", got)
	}
}
