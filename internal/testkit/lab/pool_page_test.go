//go:build lab

package lab

import (
	"strings"
	"testing"
)

// TestForwardPageWorksAsWritten: its configurations are valid, and the one for a single domain controller does, with the lab's
// addresses in it, what the page says. The other one is that of TestPoolFollowsDNS.
func TestForwardPageWorksAsWritten(t *testing.T) {
	blocks := pageBlocks(t, "deploy-forward.md", "yaml")
	for _, block := range blocks {
		if strings.HasPrefix(block, "version:") { // else it is a part of one
			checkConfig(t, block)
		}
	}
	network := StartNetwork(t)
	host, client := network.Clients[1], network.Clients[0]
	dc := StartDC(t, DCOptions{On: network.DCs[0], Anonymous: true})
	const front = "10.77.3.21"
	host.Run(t, "sh", "-c", inLab(t, pageCommand(t, "deploy-forward.md", "ip address add"), "10.0.5.21", front))
	proxy := StartProxy(t, ProxyOptions{On: host, OrdinaryUser: true, Front: front, Config: inLab(t, blocks[0],
		"10.0.5.21", front, "10.0.5.11", dc.Address)})

	probe := strings.Fields(inLab(t, pageCommand(t, "deploy-forward.md", "nspiproxy probe"), "10.0.5.21", front))
	client.Run(t, program(t), probe[1:]...)
	impacket := StartImpacketOn(t, client)
	for _, w := range ways {
		expect(t, "connect", impacket.Connect("c", w.at(front)))
		handle := expect(t, "bind", impacket.Bind("c")).Handle
		expect(t, "query", impacket.Query("c", handle))
		expect(t, "unbind", impacket.Unbind("c", handle))
		expect(t, "close", impacket.Close("c", false))
	}
	checkHeld(t, proxy, dc, 0)

	expect(t, "connect", impacket.Connect("leak", ways[4].at(front)))
	const pageLimit = 50
	for range pageLimit + 1 { // dry_run
		expect(t, "bind", impacket.Bind("leak"))
	}
	Eventually(t, settle, "a bind over the limit is in the log", func() bool { return len(proxy.Refusals()) > 0 })
	if r := proxy.Refusals()[0]; r["dry_run"] != true || r["user"] != Domain+`\`+Alice.Name || r["limit"] != "50" {
		t.Errorf("over the limit: %v", r)
	}
	checkHeld(t, proxy, dc, pageLimit+1)
	impacket.Kill()
	checkNobodyLeft(t, proxy, dc)
}
