package relay

import (
	"fmt"
	"net/netip"
	"testing"

	"pgregory.net/rapid"
)

// TestOneNetworkLeavesRoomForOthers, and so do several; a client with few connections always gets one as long as there is
// one, and nothing is left when all have gone.
func TestOneNetworkLeavesRoomForOthers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		most := rapid.IntRange(20, 400).Draw(t, "most")
		hogs := rapid.IntRange(1, 6).Draw(t, "hogs")
		var c crowd
		active := 0
		var held []netip.Addr
		for n := 0; n < 3*most; n++ {
			hog := netip.AddrFrom4([4]byte{10, 0, 0, byte(rapid.IntRange(1, hogs).Draw(t, "hog"))})
			if active < most {
				if _, ok := c.enter(hog, most-active); ok {
					active++
					held = append(held, hog)
				}
			}
		}
		free := most - active
		smallest := int32(most)
		for hog, n := range c.of {
			if int(n) > most*crowdFactor/(1+crowdFactor)+1 {
				t.Fatalf("%s has %d of %d", hog, n, most)
			}
			smallest = min(smallest, n)
		}
		if free == 0 && smallest > crowdFactor { // the last ones are for those with a few
			t.Fatalf("%v of %d", c.of, most)
		}
		honest := netip.MustParseAddr("10.1.1.1")
		if _, ok := c.enter(honest, free); ok != (free > 0) {
			t.Fatalf("a client without a connection gets one of %d: %t", free, ok)
		} else if ok {
			c.leave(honest)
		}
		for _, hog := range held {
			c.leave(hog)
		}
		if len(c.of) != 0 {
			t.Fatalf("%v are left", c.of)
		}
	})
}

// TestAddressesOfANetworkAreCountedTogether: one host has 2^64 of IPv6.
func TestAddressesOfANetworkAreCountedTogether(t *testing.T) {
	c := crowd{most: 3, networkOf: func(a netip.Addr) netip.Prefix {
		bits := 64
		if a.Is4() {
			bits = 32
		}
		p, _ := a.Prefix(bits)
		return p
	}}
	for n := range 5 {
		held, ok := c.enter(netip.MustParseAddr(fmt.Sprintf("fd00:1::%x", n)), 1000)
		if ok != (n < 3) || held != min(n, 3) {
			t.Errorf("address %d: %d, %t", n, held, ok)
		}
	}
	for _, other := range []string{"fd00:1:0:1::1", "10.1.1.1", "::ffff:10.1.1.2"} {
		if _, ok := c.enter(netip.MustParseAddr(other), 1000); !ok {
			t.Errorf("%s is in another network", other)
		}
	}
	c.leave(netip.MustParseAddr("fd00:1::9"))
	if _, ok := c.enter(netip.MustParseAddr("fd00:1::7"), 1000); !ok {
		t.Error("there is room again")
	}
}

func BenchmarkEnterAndLeave(b *testing.B) {
	var c crowd
	a := netip.MustParseAddr("10.1.1.1")
	b.ReportAllocs()
	for b.Loop() {
		c.enter(a, 1000)
		c.leave(a)
	}
}
