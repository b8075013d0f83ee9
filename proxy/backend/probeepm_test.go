package backend

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/internal/testkit/closedport"
	"github.com/nspiproxy/nspiproxy/internal/testkit/simdc"
)

func TestCheckOfTheEndpointMapper(t *testing.T) {
	sim := startDC(t, simdc.Config{})
	empty, stale, mute := newFakeMapper(t), newFakeMapper(t, closedport.New(t).Port()), newFakeMapper(t)
	mute.mute = true
	nobody := closedport.New(t)
	for _, tc := range []struct {
		name               string
		epm                netip.AddrPort
		nspi               uint16
		reachable, serving bool
		err                string
	}{
		{"registered", sim.EPMAddr(), 0, true, true, ""},
		{"fixed port, no endpoint mapper", nobody, sim.NSPIAddr().Port(), true, true, ""},
		{"fixed port, closed", sim.EPMAddr(), nobody.Port(), false, false, "refused"},
		{"not registered", empty.addr, 0, true, false, "not registered"},
		{"registered, closed", stale.addr, 0, true, false, "refused"},
		{"no endpoint mapper", nobody, 0, false, false, "refused"},
		{"silent endpoint mapper", mute.addr, 0, true, false, "epm: "},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), waitTimeout)
			if tc.epm == mute.addr {
				cancel()
				ctx, cancel = context.WithTimeout(context.Background(), 50*time.Millisecond)
			}
			defer cancel()
			r := ProbeEPM(ctx, Target{Name: "dc", Addr: tc.epm.Addr(), EPMPort: tc.epm.Port(), NSPIPort: tc.nspi})
			if r.Reachable != tc.reachable || r.Serving != tc.serving || !strings.Contains(r.Err, tc.err) || r.Duration <= 0 {
				t.Errorf("%+v", r)
			}
		})
	}
}
