//go:build lab

package failure

import (
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/internal/testkit/lab"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

// noNewConnections is what a domain controller under load does, or one whose queue of new connections is full: it does not
// answer them, and goes on with those that it has.
const noNewConnections = "table inet slow { chain in { type filter hook input priority filter; policy accept; tcp flags & (syn | ack) == syn drop; }; }"

// TestPathKeepsTheConnectionsToADomainControllerThatTakesNoNewOnes: clients are idle meanwhile, and have their sessions after it.
func TestPathKeepsTheConnectionsToADomainControllerThatTakesNoNewOnes(t *testing.T) {
	for _, mode := range bothModes {
		t.Run(mode, func(t *testing.T) {
			p := startFailPath(t, lab.PathOptions{Mode: mode, More: checkNSPI}, lab.DCOptions{NSPIPort: 50001})
			var clients []*lab.Conn
			var handles []nspi.Handle
			for n := range 8 {
				client := p.joined(t, p.addresses()[n%2])
				clients, handles = append(clients, client), append(handles, lab.OpenSession(t, client))
			}
			p.DCs[0].Run(t, "nft", noNewConnections)
			began := time.Now()
			time.Sleep(10 * time.Second) // until the next check begins, at most
			p.becomesUnreachable(t)
			t.Logf("unreachable after %s", time.Since(began))
			time.Sleep(lab.SilenceTime) // where a machine that has vanished is given up
			for n, client := range clients {
				if code, err := client.NspiUnbind(handles[n]); err != nil || code != nspi.UnbindSuccess {
					t.Errorf("client %d: NspiUnbind: %s, %v", n, code, err)
				}
			}
			p.DCs[0].Run(t, "nft", "delete table inet slow")
			lab.Eventually(t, lab.SettleTime, "it serves again", func() bool {
				return p.Metrics(t).Sum("nspiproxy_backend_state", `state="serving"`) == 2
			})
			for _, client := range clients {
				client.Close()
			}
			p.checkNobodyLeft(t)
		})
	}
}
