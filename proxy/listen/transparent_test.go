package listen

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/policy"
	"github.com/nspiproxy/nspiproxy/proxy/backend"
)

func TestConnectionThatIsBoundToFailIsRefusedAtOnce(t *testing.T) {
	set := backend.New(backend.Options{Interval: 100 * time.Millisecond, Fall: 3, Backends: []backend.Backend{
		{Name: "dc1", Address: netip.MustParseAddr("127.59.0.1"), NSPIPort: 6001, EPMPort: 1135}, // nothing listens there
	}})
	dc := set.Members("dc1")[0]
	l := &transparentListener{config: &policy.Listener{Mode: policy.ModeRedirect}}
	if l.isBoundToFail(dc, 6001) {
		t.Fatal("before anything is known of it")
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go set.Run(ctx)
	for deadline := time.Now().Add(20 * time.Second); !l.isBoundToFail(dc, 6001); time.Sleep(time.Millisecond) {
		dc.DialFailed(6001, false)
		if time.Now().After(deadline) {
			t.Fatalf("it is %v", dc.State())
		}
	}
	if l.isBoundToFail(dc, dc.EPM.Port()) {
		t.Error("the host refuses connections, so its endpoint mapper may be back at any moment")
	}
}
