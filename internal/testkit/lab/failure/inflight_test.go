//go:build lab

package failure

import (
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/internal/testkit/lab"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

// bindTime is how long the domain controller of these tests takes for an NspiBind: long enough to do something
// meanwhile, on a busy machine, too.
const bindTime = 3 * time.Second

// TestRefusedBindLeavesTheCallInFlightAlone: three binds in one segment, one slot. Two are refused while the domain
// controller still works on the other.
func TestRefusedBindLeavesTheCallInFlightAlone(t *testing.T) {
	dc := lab.StartDC(t, lab.DCOptions{Address: "127.0.10.46", Anonymous: true, BindDelay: bindTime})
	proxy := lab.StartProxy(t, lab.ProxyOptions{Front: "127.0.20.46", DC: dc, Limit: 1})
	c := lab.DialProxy(t, proxy, 1)
	if err := c.Bind(0); err != nil {
		t.Fatal(err)
	}
	lab.SendBinds(t, c, 11, 12, 13)
	codes := lab.ReadBinds(t, c, 3)
	if codes[11] != nspi.Success || codes[12] != nspi.LogonFailed || codes[13] != nspi.LogonFailed {
		t.Errorf("answers by call id: %v", codes)
	}
	if n := dc.Count(t).Binds; n != 1 {
		t.Errorf("%d binds have reached the domain controller, want 1", n)
	}
	lab.CheckHeld(t, proxy, dc, 1)
}

// TestClientLostDuringABind: the domain controller answers later, and the client that asked is gone.
func TestClientLostDuringABind(t *testing.T) {
	dc := lab.StartDC(t, lab.DCOptions{Address: "127.0.10.47", Anonymous: true, BindDelay: bindTime})
	proxy := lab.StartProxy(t, lab.ProxyOptions{Front: "127.0.20.47", DC: dc, Limit: 1})
	for _, end := range []func(*lab.Conn){(*lab.Conn).Reset, (*lab.Conn).Close} {
		c := lab.DialProxy(t, proxy, 1)
		if err := c.Bind(0); err != nil {
			t.Fatal(err)
		}
		lab.SendBinds(t, c, 11)
		lab.CheckReserved(t, proxy, 1)
		end(c)
		lab.CheckNobodyLeft(t, proxy, dc)
	}
	lab.OpenSession(t, lab.DialProxy(t, proxy, 1))
	lab.CheckHeld(t, proxy, dc, 1)
}
