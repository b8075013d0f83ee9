//go:build lab

package pool

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/nspiproxy/nspiproxy/internal/testkit/lab"
)

// TestPoolLimitsAnAccountOnDifferentMachines: on each domain controller for itself, as they do, or on all of them together.
func TestPoolLimitsAnAccountOnDifferentMachines(t *testing.T) {
	const limit = 2
	for _, c := range []struct {
		scope   string
		granted int
	}{{"backend", 2 * limit}, {"all", limit}} {
		t.Run(c.scope, func(t *testing.T) {
			s := startPool(t, lab.DCOptions{}, fmt.Sprintf("policy: {scope: %s, default: {limit: %d}}\n", c.scope, limit))
			clients := [2]*lab.Impacket{lab.StartImpacketOn(t, s.Clients[0]), lab.StartImpacketOn(t, s.Clients[1])}
			for n := range c.granted { // one association after the other, each on the emptier domain controller
				conn := fmt.Sprint("c", n)
				lab.Expect(t, "connect", clients[n%2].Connect(conn, lab.NTLMConnect.At(s.Router.Address.String())))
				lab.Expect(t, "bind", clients[n%2].Bind(conn))
			}
			s.checkHeld(t, c.granted/2, c.granted/2)
			for _, client := range clients {
				for _, w := range []lab.Variant{lab.NTLMConnect, lab.NTLMPrivacy, lab.SPNEGOPrivacy} {
					lab.Expect(t, "connect", client.Connect("more", w.At(s.Router.Address.String())))
					w.CheckRefused(t, client.Bind("more"))
					lab.Expect(t, "close", client.Close("more", false))
				}
			}
			checkFirstRefusal(t, s, limit)
			bob := lab.NTLMPrivacy.At(s.Router.Address.String())
			bob.User, bob.Password = lab.Bob.Name, lab.Bob.Password
			lab.Expect(t, "connect", clients[1].Connect("bob", bob))
			lab.Expect(t, "another account's bind", clients[1].Bind("bob"))
			for _, client := range clients {
				client.Kill()
			}
			s.checkNobodyLeft(t)
		})
	}
}

// checkFirstRefusal looks at the first record of a refusal, which is written at once: it names the account, and the machine that
// the bind came from.
func checkFirstRefusal(t *testing.T, s *poolStage, limit int) {
	t.Helper()
	lab.Eventually(t, lab.SettleTime, "the refusal is logged", func() bool { return len(s.proxy.Refusals()) > 0 })
	r := s.proxy.Refusals()[0]
	client, err := netip.ParseAddrPort(fmt.Sprint(r["client"]))
	if err != nil || client.Addr() != s.Clients[0].Address || r["user"] != lab.Domain+`\`+lab.Alice.Name || r["current"] != float64(limit) {
		t.Errorf("refused was %v, want alice from %s with %d sessions", r, s.Clients[0].Address, limit)
	}
}
