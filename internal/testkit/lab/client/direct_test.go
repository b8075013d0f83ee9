//go:build lab

package client

import (
	"testing"

	"github.com/nspiproxy/nspiproxy/internal/testkit/lab"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

// TestImpacketWorksAgainstTheSimulation: with no proxy in between, the simulated domain controller is one to Impacket's own
// clients: the endpoint mapper, both table queries, the limit, fragments, both referrals.
func TestImpacketWorksAgainstTheSimulation(t *testing.T) {
	client := lab.StartImpacket(t)
	for _, w := range lab.Variants {
		t.Run(w.Name, func(t *testing.T) {
			dc := lab.StartDC(t, lab.DCOptions{Address: "127.0.10.13", Limit: 2, Anonymous: true})
			client.ReportTo(t)
			lab.Expect(t, "connect", client.Connect("a", w.At(dc.Address)))
			handle := lab.Expect(t, "bind", client.Bind("a")).Handle
			if a := lab.Expect(t, "query", client.Query("a", handle)); a.Tables != 1 || a.Rows != 12 {
				t.Errorf("tables and rows: %+v", a)
			}
			if a := lab.Expect(t, "call", client.Call("a", 7, 30_000)); !a.Echoed {
				t.Errorf("a call of several fragments: %+v", a)
			}
			lab.Expect(t, "bind", client.Bind("a"))
			lab.ExpectLogonFailed(t, client.Bind("a"))
			if a := lab.Expect(t, "unbind", client.Unbind("a", handle)); a.Status != uint32(nspi.UnbindSuccess) {
				t.Errorf("unbind: %+v", a)
			}
			lab.Expect(t, "bind after an unbind", client.Bind("a"))
			lab.Expect(t, "close", client.Close("a", false))

			login := w.At(dc.Address)
			login.Interface = "rfri"
			lab.Expect(t, "connect", client.Connect("a", login))
			expectReferred(t, client, "a", dcName)
			lab.Expect(t, "close", client.Close("a", false))
			lab.Eventually(t, lab.SettleTime, "all sessions are run down", func() bool { return dc.Count(t).Sessions == 0 })
		})
	}
}
