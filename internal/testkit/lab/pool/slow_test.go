//go:build lab

package pool

import (
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/internal/testkit/lab"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

// noNewConnections is a domain controller under load: it loses SYNs, and goes on with the connections that it has.
const noNewConnections = "table inet slow { chain in { type filter hook input priority filter; policy accept; tcp flags & (syn | ack) == syn drop; }; }"

// TestPoolGoesPastASlowDomainController quickly, and waits where all are slow as long as a client would without the proxy. Who has
// a session keeps it.
func TestPoolGoesPastASlowDomainController(t *testing.T) {
	s := startPool(t, lab.DCOptions{Anonymous: true}, unlimited+"relay: {failover_timeout: 1s}\n")
	ids := [2]serverGUID{guidOf(t, s.Clients[0], s.dcs[0]), guidOf(t, s.Clients[0], s.dcs[1])}
	idle := map[*lab.Conn]nspi.Handle{}
	for n := range 4 {
		c := s.dial(t, s.Clients[0], s.Clients[0].More(n))
		idle[c] = lab.OpenSession(t, c)
	}
	s.checkHeld(t, 2, 2)

	s.DCs[0].Run(t, "nft", noNewConnections)
	for n := range 4 {
		began := time.Now()
		c := s.dial(t, s.Clients[1], s.Clients[1].More(n))
		if where := bindWhere(t, c); where != ids[1] || time.Since(began) > time.Second+lab.PromptTime {
			t.Errorf("served after %s, by the other one: %t", time.Since(began), where == ids[1])
		}
		c.Close()
	}

	s.DCs[1].Run(t, "nft", noNewConnections)
	began, served := time.Now(), make(chan error, 1)
	go func() {
		c := s.dial(t, s.Clients[1], s.Clients[1].More(9))
		err := c.Bind(0)
		if err == nil {
			_, _, err = c.NspiBind()
		}
		c.Close()
		served <- err
	}()
	time.Sleep(8 * time.Second)
	for _, dc := range s.DCs {
		dc.Run(t, "nft", "delete table inet slow")
	}
	if err := <-served; err != nil {
		t.Errorf("where all are slow: %v after %s", err, time.Since(began))
	}
	t.Logf("served after %s", time.Since(began))
	for c, handle := range idle {
		if code, err := c.NspiUnbind(handle); err != nil || code != nspi.UnbindSuccess {
			t.Errorf("one who had a session: NspiUnbind: %s, %v", code, err)
		}
		c.Close()
	}
	s.checkNobodyLeft(t)
}
