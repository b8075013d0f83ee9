//go:build lab

package failure

import (
	"net/netip"
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

// slowTime is how long SYNs are lost: longer than it takes to find out that a domain controller is not reached.
const slowTime = 9 * time.Second

// sessionBehind starts a domain controller and a proxy in front of it, and returns what opens a session there from a client's
// machine, and the domain controller's.
func sessionBehind(t *testing.T, mode string) (session func() error, dc *lab.Machine) {
	t.Helper()
	if mode != "forward" {
		p := startFailPath(t, lab.PathOptions{Mode: mode, More: checkNSPI}, lab.DCOptions{NSPIPort: 50001})
		p.joined(t, p.DCs[0].Address).Close() // from now on the port is known
		return func() error { return openedAt(p.Clients[0], p.DCs[0].Address) }, p.DCs[0]
	}
	network := lab.StartNetwork(t)
	server := lab.StartDC(t, lab.DCOptions{On: network.DCs[0], NSPIPort: 50001, Anonymous: true})
	lab.StartProxy(t, lab.ProxyOptions{On: network.Router, OrdinaryUser: true, Limit: 1000, DC: server, More: checkNSPI})
	session = func() error { return openedAt(network.Clients[0], network.Router.Address) }
	// The proxy opens the port when the endpoint mapper has told it.
	lab.Eventually(t, lab.SettleTime, "a session is opened", func() bool { return session() == nil })
	return session, network.DCs[0]
}

// openedAt opens a session where NSPI is on a port that is known, and closes its connection.
func openedAt(client *lab.Machine, server netip.Addr) error {
	c, err := joinAt(client, netip.AddrPortFrom(server, 50001), netip.Addr{})
	if err == nil {
		c.Close()
	}
	return err
}

// TestClientOfASlowDomainControllerIsServed, as one is that connects without the proxy: it sends SYNs for some twenty seconds.
func TestClientOfASlowDomainControllerIsServed(t *testing.T) {
	for _, mode := range append([]string{"forward"}, bothModes...) {
		t.Run(mode, func(t *testing.T) {
			t.Parallel() // each of them waits most of the time
			session, dc := sessionBehind(t, mode)
			dc.Run(t, "nft", noNewConnections)
			began := time.Now()
			served := make(chan error, 2)
			go func() { served <- session() }()
			time.Sleep(slowTime)
			go func() { served <- session() }() // the proxy knows by now that it is not reached
			time.Sleep(time.Second)
			dc.Run(t, "nft", "delete table inet slow")
			for range cap(served) {
				if err := <-served; err != nil {
					t.Errorf("after %s: %v", time.Since(began), err)
				}
			}
			t.Logf("served after %s", time.Since(began))
		})
	}
}
