//go:build lab

package pool

import (
	"strings"
	"testing"

	"github.com/nspiproxy/nspiproxy/internal/testkit/lab"
)

// TestForwardPageWorksAsWritten: its configurations are valid, and the one for a single domain controller does, with the lab's
// addresses in it, what the page says. The other one is that of TestPoolFollowsDNS.
func TestForwardPageWorksAsWritten(t *testing.T) {
	blocks := lab.PageBlocks(t, "deploy-forward.md", "yaml")
	for _, block := range blocks {
		if strings.HasPrefix(block, "version:") { // else it is a part of one
			lab.CheckConfig(t, block)
		}
	}
	network := lab.StartNetwork(t)
	host, client := network.Clients[1], network.Clients[0]
	dc := lab.StartDC(t, lab.DCOptions{On: network.DCs[0], Anonymous: true})
	const front = "10.77.3.21"
	host.Run(t, "sh", "-c", lab.Replaced(t, lab.PageCommand(t, "deploy-forward.md", "ip address add"), "10.0.5.21", front))
	proxy := lab.StartProxy(t, lab.ProxyOptions{On: host, OrdinaryUser: true, Front: front, Config: lab.Replaced(t, blocks[0],
		"10.0.5.21", front, "10.0.5.11", dc.Address)})

	probe := strings.Fields(lab.Replaced(t, lab.PageCommand(t, "deploy-forward.md", "nspiproxy probe"), "10.0.5.21", front))
	client.Run(t, lab.Program(t), probe[1:]...)
	impacket := lab.StartImpacketOn(t, client)
	for _, w := range lab.Variants {
		lab.Expect(t, "connect", impacket.Connect("c", w.At(front)))
		handle := lab.Expect(t, "bind", impacket.Bind("c")).Handle
		lab.Expect(t, "query", impacket.Query("c", handle))
		lab.Expect(t, "unbind", impacket.Unbind("c", handle))
		lab.Expect(t, "close", impacket.Close("c", false))
	}
	lab.CheckHeld(t, proxy, dc, 0)

	lab.Expect(t, "connect", impacket.Connect("leak", lab.NTLMPrivacy.At(front)))
	const pageLimit = 50
	for range pageLimit + 1 { // dry_run
		lab.Expect(t, "bind", impacket.Bind("leak"))
	}
	lab.Eventually(t, lab.SettleTime, "a bind over the limit is in the log", func() bool { return len(proxy.Refusals()) > 0 })
	if r := proxy.Refusals()[0]; r["dry_run"] != true || r["user"] != lab.Domain+`\`+lab.Alice.Name || r["limit"] != 50.0 {
		t.Errorf("over the limit: %v", r)
	}
	lab.CheckHeld(t, proxy, dc, pageLimit+1)
	impacket.Kill()
	lab.CheckNobodyLeft(t, proxy, dc)
}
