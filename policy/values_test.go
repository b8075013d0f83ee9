package policy

import (
	"net/netip"
	"testing"

	"pgregory.net/rapid"
)

func TestSIDIsNormalized(t *testing.T) {
	for in, want := range map[string]SID{
		"S-1-5-21-1-2-3-1105":                 "S-1-5-21-1-2-3-1105",
		"s-1-5-18":                            "S-1-5-18",
		"S-1-0-0":                             "S-1-0-0",
		"S-1-5-4294967295":                    "S-1-5-4294967295",
		"S-1-0x0123456789ab-7":                "S-1-0x0123456789AB-7",
		"S-1-5-1-2-3-4-5-6-7-8-9-0-1-2-3-4-5": "S-1-5-1-2-3-4-5-6-7-8-9-0-1-2-3-4-5",
	} {
		if got, err := ParseSID(in); got != want || err != nil {
			t.Errorf("%s: %s, %v, want %s", in, got, err, want)
		}
	}
	for _, in := range []string{
		"", "S", "S-1", "S-1-5", "S-2-5-21", "X-1-5-21", "S-1-5-", "S-1--5", "S-1-5-21-", "S-1-5-021", "S-1-5-+1", "S-1-5--1",
		"S-1-5-4294967296", "S-1-4294967296-1", "S-1-0x5-1", "S-1-0x000000000005-1", "S-1-0x0123456789abc-1", "S-1-5-0x10", " S-1-5-18",
		"S-1-5-1-2-3-4-5-6-7-8-9-0-1-2-3-4-5-6", "S-1-5-1_0", "S-1-5-２",
	} {
		if got, err := ParseSID(in); err == nil {
			t.Errorf("%q was read as %s", in, got)
		}
	}
}

func TestFaultStatus(t *testing.T) {
	for in, want := range map[string]FaultStatus{
		"access_denied": 5, "server_too_busy": 0x1C010014, "5": 5, "0x5": 5, "0X80040111": 0x80040111, "2147746065": 0x80040111, "0xffffffff": 0xFFFFFFFF,
	} {
		if got, err := ParseFaultStatus(in); got != want || err != nil {
			t.Errorf("%s: %v, %v, want %v", in, got, err, want)
		}
	}
	for _, in := range []string{"", "0x", "-5", "05", "5_0", "0x1_0", "0x100000000", "4294967296", "ACCESS_DENIED", "denied", "0b1", "1e3"} {
		if got, err := ParseFaultStatus(in); err == nil {
			t.Errorf("%q was read as %v", in, got)
		}
	}
	for status, want := range map[FaultStatus]string{5: "access_denied", 0x1C010014: "server_too_busy", 0x721: "0x00000721"} {
		if got := status.String(); got != want {
			t.Errorf("%#x prints as %s, want %s", uint32(status), got, want)
		}
	}
}

// TestForbiddenFaultsAreRefused has the whole list of MS-RPCE 3.3.3.5.1.
func TestForbiddenFaultsAreRefused(t *testing.T) {
	for _, in := range []string{
		"0", "0x0", "0x00000000", "0x80000001", "0x80000002", "0x80000003", "0xC0000005", "0xC0000006", "0xC000001D", "0xC0000096",
		"0xC00000AA", "0xC00000FD", "0xC0000194", "0xC0000235", "0xC0000409", "0xC0000420", "3221225477",
	} {
		if got, err := ParseFaultStatus(in); err == nil {
			t.Errorf("%s was read as %v", in, got)
		}
	}
}

func TestAddrSetContainsWhatItsPrefixesContain(t *testing.T) {
	prefix := rapid.Custom(func(t *rapid.T) netip.Prefix {
		if rapid.Bool().Draw(t, "v6") {
			a := netip.AddrFrom16([16]byte{0x20, 1, rapid.Byte().Draw(t, "a"), 15: rapid.Byte().Draw(t, "b")})
			return netip.PrefixFrom(a, rapid.IntRange(0, 128).Draw(t, "bits")).Masked()
		}
		a := netip.AddrFrom4([4]byte{10, rapid.ByteRange(0, 3).Draw(t, "a"), 0, rapid.Byte().Draw(t, "b")})
		return netip.PrefixFrom(a, rapid.IntRange(0, 32).Draw(t, "bits")).Masked()
	})
	rapid.Check(t, func(t *rapid.T) {
		prefixes := rapid.SliceOfN(prefix, 1, 8).Draw(t, "prefixes")
		set := newAddrSet(prefixes)
		for _, p := range rapid.SliceOfN(prefix, 1, 8).Draw(t, "probes") {
			for _, a := range []netip.Addr{p.Addr(), lastAddr(p), p.Addr().Prev(), lastAddr(p).Next()} {
				want := false
				for _, q := range prefixes {
					want = want || q.Contains(a)
				}
				if got := set.contains(a); got != want {
					t.Fatalf("%v contains %v: %v, want %v", prefixes, a, got, want)
				}
			}
			if set.covers(newAddrSet([]netip.Prefix{p})) && (!set.contains(p.Addr()) || !set.contains(lastAddr(p))) {
				t.Fatalf("%v is said to cover %v", prefixes, p)
			}
		}
		if !set.covers(set) || !addrSet(nil).covers(set) || set.covers(nil) {
			t.Fatalf("%v: covering itself, being covered by all, or covering all is wrong", prefixes)
		}
	})
}

func TestLimitNamesItself(t *testing.T) {
	for limit, want := range map[Limit]string{0: "0", 50: "50", Unlimited: "unlimited", -7: "unlimited"} {
		if got := limit.String(); got != want {
			t.Errorf("%d: %s, want %s", int(limit), got, want)
		}
	}
}

func TestOtherInterfacesAreTakenWithClosedUnlessTheConfigurationSaysOtherwise(t *testing.T) {
	for _, tc := range []struct {
		down FailMode
		set  Switch
		want bool
	}{
		{FailOpen, SwitchUnset, false}, {FailOpen, SwitchOn, true}, {FailOpen, SwitchOff, false},
		{FailClosed, SwitchUnset, true}, {FailClosed, SwitchOn, true}, {FailClosed, SwitchOff, false},
	} {
		if got := (&Transparent{WhenDown: tc.down, SameProcess: tc.set}).TakesProcess(); got != tc.want {
			t.Errorf("%s, %d: %v", tc.down, tc.set, got)
		}
	}
}
