//go:build lab

package lab

import (
	"io"
	"testing"
	"time"
)

func TestDomainControllerLostDuringABind(t *testing.T) {
	dc := StartDC(t, DCOptions{Address: "127.0.10.48", Anonymous: true, BindDelay: bindTime})
	proxy := StartProxy(t, ProxyOptions{Front: "127.0.20.48", DC: dc, Limit: 1})
	c := dial(t, proxy, 1)
	if err := c.Bind(0); err != nil {
		t.Fatal(err)
	}
	sendBinds(t, c, 11)
	checkReserved(t, proxy, 1)
	dc.Kill()
	_ = c.Conn.SetReadDeadline(time.Now().Add(settle))
	if answer, _ := io.ReadAll(c.Conn); len(answer) != 0 {
		t.Errorf("an answer although the domain controller is gone: % x", answer)
	}
	checkReserved(t, proxy, 0)
	if n := proxy.Metrics(t).Sum("nspiproxy_sessions_held"); n != 0 {
		t.Errorf("%v sessions are held", n)
	}
}

// TestDeadDomainControllerHoldsNoSlotOfAnIdleClient: a client that neither asks nor closes after the domain controller's
// end must not keep its slots: the domain controller has forgotten them.
func TestDeadDomainControllerHoldsNoSlotOfAnIdleClient(t *testing.T) {
	dc := StartDC(t, DCOptions{Address: "127.0.10.49", Anonymous: true})
	proxy := StartProxy(t, ProxyOptions{Front: "127.0.20.49", DC: dc, Limit: 1})
	bindSession(t, dial(t, proxy, 1))
	checkHeld(t, proxy, dc, 1)
	dc.Kill()
	Eventually(t, settle, "the proxy holds nothing", func() bool {
		return proxy.Metrics(t).Sum("nspiproxy_sessions_held") == 0
	})
}
