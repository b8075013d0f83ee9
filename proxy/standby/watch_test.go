package standby

import (
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"
)

func addrs(text string) (list []netip.Addr) {
	for _, a := range strings.Fields(text) {
		list = append(list, netip.MustParseAddr(a))
	}
	return list
}

func TestAnAddressIsLostWhenItLeaves(t *testing.T) {
	w := NewWatch(addrs("10.0.1.1 fd00:1::1"), addrs("10.0.9.9"))
	begin := time.Now()
	for _, step := range []struct {
		after time.Duration
		has   string
		lost  Lost
	}{
		{0, "10.0.1.251", Lost{}}, // a backup at its start
		{1, "10.0.1.251 10.0.1.1 fd00:1::1 10.0.9.9", Lost{}},
		{2, "10.0.1.1 fd00:1::1 10.0.9.9", Lost{}}, // another address of the machine
		{3, "fd00:1::1 10.0.9.9", Lost{Virtual: addrs("10.0.1.1")}},
		{4, "fd00:1::1 10.0.9.9", Lost{}}, // once
		{5, "10.0.1.1", Lost{Virtual: addrs("fd00:1::1")}},
		{6, "10.0.1.1 10.0.9.9", Lost{}}, // the network was set up anew
		{7, "10.0.1.1", Lost{}},
		{7 + OwnGrace - 1, "10.0.1.1", Lost{}},
		{7 + OwnGrace, "10.0.1.1", Lost{Own: addrs("10.0.9.9")}},
		{8 + 2*OwnGrace, "", Lost{Virtual: addrs("10.0.1.1")}},
	} {
		if got := w.Look(addrs(step.has), begin.Add(step.after)); !reflect.DeepEqual(got, step.lost) || got.Any() != (len(step.lost.Virtual)+len(step.lost.Own) > 0) {
			t.Errorf("with %q lost are %v, want %v", step.has, got, step.lost)
		}
	}
}

func TestLossConcernsTheFamilyThatWasRouted(t *testing.T) {
	four, six := netip.MustParseAddr("10.0.5.11"), netip.MustParseAddr("fd00:5::11")
	for _, tc := range []struct {
		lost     Lost
		through  bool
		to       netip.Addr
		concerns bool
	}{
		{Lost{}, true, four, false},
		{Lost{Virtual: addrs("10.0.1.1")}, true, four, true},
		{Lost{Virtual: addrs("10.0.1.1")}, true, six, false},
		{Lost{Virtual: addrs("fd00:1::1")}, true, six, true},
		{Lost{Virtual: addrs("10.0.1.1")}, false, four, false},
		{Lost{Own: addrs("10.0.5.11")}, false, four, true},
		{Lost{Own: addrs("10.0.5.11")}, false, six, false},
		{Lost{Own: addrs("10.0.5.11")}, true, four, false}, // a domain controller's, and not this machine's
	} {
		if got := tc.lost.Has(tc.through, tc.to); got != tc.concerns {
			t.Errorf("%v, %v, %v: %v", tc.lost, tc.through, tc.to, got)
		}
	}
}
