package listen

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/policy"
	"github.com/nspiproxy/nspiproxy/proxy/backend"
)

// A host that refuses answers each client itself, and may be back at any moment.
func TestHostThatRefusesIsNotGone(t *testing.T) {
	set := backend.New(backend.Options{Interval: 100 * time.Millisecond, Fall: 3, Backends: []backend.Backend{
		{Name: "dc1", Address: netip.MustParseAddr("127.59.0.1"), NSPIPort: 6001, EPMPort: 1135}, // nothing listens there
	}})
	dc := set.Members("dc1")[0]
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go set.Run(ctx)
	for deadline := time.Now().Add(20 * time.Second); dc.State() != backend.Unreachable; time.Sleep(time.Millisecond) {
		dc.DialFailed(6001, false)
		if time.Now().After(deadline) {
			t.Fatalf("it is %v", dc.State())
		}
	}
	if dc.Gone(0) {
		t.Error("a host that refuses connections is gone")
	}
}

// Where clients connect under their own addresses, the proxy's own failure is not theirs.
func TestClientsOfAHostThatIsGoneTryOneAtATime(t *testing.T) {
	set := backend.New(backend.Options{Backends: []backend.Backend{{Name: "dc1", Address: netip.MustParseAddr("127.59.0.2"), NSPIPort: 6001}}})
	dc := set.Members("dc1")[0]
	for mode, want := range map[policy.Mode]bool{policy.ModeTPROXY: true, policy.ModeRedirect: false} {
		l := &transparentListener{config: &policy.Listener{Mode: mode}}
		if l.mayTry(dc) != want {
			t.Errorf("%s: may try: %t", mode, !want)
		}
	}
}
