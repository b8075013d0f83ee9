package transparent

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// key returns the key of an element as the kernel has it.
func (c directConnection) key() (key []byte) {
	for _, e := range []netip.AddrPort{c.client, c.server} {
		key = append(append(key, e.Addr().AsSlice()...), byte(e.Port()>>8), byte(e.Port()), 0, 0)
	}
	return key
}

func TestConnectionsThatPassByAreReadFromTheirKeys(t *testing.T) {
	for _, tt := range []struct {
		family         family
		client, server string
	}{
		{ipv4, "10.1.2.3:4095", "10.0.5.11:135"},
		{ipv6, "[fd00:1::1]:65535", "[fd00:5::11]:49677"},
	} {
		want := directConnection{client: netip.MustParseAddrPort(tt.client), server: netip.MustParseAddrPort(tt.server)}
		if got, ok := readDirectKey(want.key(), tt.family); !ok || got != want {
			t.Errorf("read %v, %v, want %v", got, ok, want)
		}
	}
}

func TestOtherKeysAreNoConnections(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.SliceOfN(rapid.Byte(), 0, 64).Draw(t, "key")
		for _, f := range families {
			c, ok := readDirectKey(key, f)
			if ok && (!f.is(c.client.Addr()) || !f.is(c.server.Addr())) {
				t.Fatalf("%x is %v", key, c)
			}
			if ok && len(key) != len(c.key()) {
				t.Fatalf("%d bytes are read as %v", len(key), c)
			}
		}
	})
}

func TestRulesetKeepsConnectionsThatPassBy(t *testing.T) {
	p := plan(t, listenersOf("tproxy-both"), "")
	rules := p.ruleset(nil, []directConnection{
		{netip.MustParseAddrPort("10.1.2.3:4095"), netip.MustParseAddrPort("10.0.5.11:135"), 90 * time.Minute},
		{netip.MustParseAddrPort("[fd00:1::1]:1"), netip.MustParseAddrPort("[fd00:5::11]:135"), time.Millisecond},
	})
	for _, element := range []string{"10.1.2.3 . 4095 . 10.0.5.11 . 135 expires 5400s,", "fd00:1::1 . 1 . fd00:5::11 . 135 expires 1s,"} {
		if strings.Count(rules, element) != 1 {
			t.Errorf("%q is not there once:\n%s", element, rules)
		}
	}
}
