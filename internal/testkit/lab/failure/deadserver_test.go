//go:build lab

package failure

import (
	"io"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/internal/testkit/lab"
)

func TestDomainControllerLostDuringABind(t *testing.T) {
	dc := lab.StartDC(t, lab.DCOptions{Address: "127.0.10.48", Anonymous: true, BindDelay: bindTime})
	proxy := lab.StartProxy(t, lab.ProxyOptions{Front: "127.0.20.48", DC: dc, Limit: 1})
	c := lab.DialProxy(t, proxy, 1)
	if err := c.Bind(0); err != nil {
		t.Fatal(err)
	}
	lab.SendBinds(t, c, 11)
	lab.CheckReserved(t, proxy, 1)
	dc.Kill()
	_ = c.TCP.SetReadDeadline(time.Now().Add(lab.SettleTime))
	if answer, _ := io.ReadAll(c.TCP); len(answer) != 0 {
		t.Errorf("an answer although the domain controller is gone: % x", answer)
	}
	lab.CheckReserved(t, proxy, 0)
	if n := proxy.Metrics(t).Sum("nspiproxy_sessions_held"); n != 0 {
		t.Errorf("%v sessions are held", n)
	}
}

// TestDeadDomainControllerHoldsNoSlotOfAnIdleClient: a client that neither asks nor closes after the domain controller's
// end must not keep its slots: the domain controller has forgotten them.
func TestDeadDomainControllerHoldsNoSlotOfAnIdleClient(t *testing.T) {
	dc := lab.StartDC(t, lab.DCOptions{Address: "127.0.10.49", Anonymous: true})
	proxy := lab.StartProxy(t, lab.ProxyOptions{Front: "127.0.20.49", DC: dc, Limit: 1})
	lab.OpenSession(t, lab.DialProxy(t, proxy, 1))
	lab.CheckHeld(t, proxy, dc, 1)
	dc.Kill()
	lab.Eventually(t, lab.SettleTime, "the proxy holds nothing", func() bool {
		return proxy.Metrics(t).Sum("nspiproxy_sessions_held") == 0
	})
}
