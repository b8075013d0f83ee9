package inspect

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/nspiproxy/nspiproxy/policy"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
	"github.com/nspiproxy/nspiproxy/session"
)

// A slot may be reserved for a bind that has waited. When the bind is refused for
// another reason, the slot must be free for others.
func TestBindThatWaitedAndIsRefusedUncountedLeavesNoSlot(t *testing.T) {
	table := session.NewTable(session.Options{})
	deps := &Deps{Sessions: table, Events: new(eventLog)}
	settings := &Settings{Policy: policy.New(policy.Ruleset{Default: policy.DefaultLimits{Limit: 1}})}
	deps.Settings.Store(settings)
	conn := newFakeConn()
	i := New(deps, Options{Conn: conn, Backend: "dc1", Shown: "dc1"})
	other := table.Open(netip.MustParseAddrPort("10.1.2.4:50000"), "dc1", "dc1", "")
	claim, _, _ := other.Reserve(session.ReserveRequest{User: i.addressUser().id, Limit: 1})

	call := &rpcparse.Call{ID: 1, Context: &rpcparse.PresentationContext{Abstract: nspi.Interface, Transfer: rpcparse.TransferNDR}}
	if v := i.admit(call, &protectedPDU{}); v.Action != Hold {
		t.Fatalf("%v while a claim is in flight", v.Action)
	}
	claim.Release()
	if n := table.Count(); conn.woken != 1 || n.Reserved != 1 {
		t.Fatalf("woken %d times, %+v", conn.woken, n)
	}
	i.identity.unauthenticated.lookupErr = errors.New("down")
	refusing := *settings
	refusing.WhenDown = policy.WhenDownRefuse
	deps.Settings.Store(&refusing)
	if v := i.admit(call, &protectedPDU{}); v.Action != Drop || len(v.ToClient) == 0 {
		t.Fatalf("%v", v)
	}
	if n := table.Count(); n.Reserved+n.Provisional+n.Waiting != 0 {
		t.Errorf("left behind: %+v", n)
	}
}
