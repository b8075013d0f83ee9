//go:build lab

package failure

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/internal/testkit/lab"
)

// TestPathEndpointMapperMayBeSlow: slower than the proxy itself waits for an answer. Clients wait as long as they would without
// a proxy, who knows the port does not wait, and what was learnt stays.
func TestPathEndpointMapperMayBeSlow(t *testing.T) {
	const delay = 1500 * time.Millisecond
	p := startFailPath(t, lab.PathOptions{Limit: crewLimit, More: "health: {timeout: 1s, interval: 1s}\n"},
		lab.DCOptions{NSPIPort: 50001, MapDelay: delay})
	server := p.DCs[0].Address
	began := time.Now()
	if port, err := p.Router.MapPort(server.String()); err != nil || port != 50001 {
		t.Fatalf("directly: port %d, %v", port, err)
	}
	direct := time.Since(began)

	began = time.Now()
	client, err := join(p.Clients[0], server, netip.Addr{})
	if err != nil {
		t.Fatal(err)
	}
	all := []*lab.Conn{client}
	if through := time.Since(began); through < delay || through > direct+lab.PromptTime {
		t.Errorf("through the proxy it takes %s, directly %s", through, direct)
	} else {
		t.Logf("through the proxy it takes %s, directly %s", through, direct)
	}

	lab.Eventually(t, lab.SettleTime, "the proxy has given up asking", func() bool {
		return slices.ContainsFunc(p.Log(), func(r lab.Record) bool { return r["event"] == "epm.down" })
	})
	if n := p.Metrics(t).Sum("nspiproxy_backend_state", `state="serving"`); n != 2 {
		t.Errorf("%v addresses of the domain controller are serving, want both", n)
	}
	for n := range 20 {
		began = time.Now()
		other, err := joinAt(p.Clients[1], netip.AddrPortFrom(server, 50001), p.Clients[1].More(n))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, other)
		if took := time.Since(began); took > lab.PromptTime {
			t.Errorf("a connection to the known port has taken %s", took)
		}
	}
	lab.CheckHeld(t, p.Proxy, p.dc, 21)
	if !p.intercepted(t, server, 50001) {
		t.Error("the port is not intercepted any more")
	}
	for _, c := range all {
		c.Close()
	}
	p.checkNobodyLeft(t)
}
