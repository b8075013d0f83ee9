//go:build lab

package pool

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/nspiproxy/nspiproxy/internal/testkit/lab"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

// poolStage is one address of the router's in front of two domain controllers, dc1 and dc2, in the order of the network.
type poolStage struct {
	*lab.Network
	dcs   [2]*lab.DC
	proxy *lab.Proxy
}

// poolConfig is the configuration of docs/deploy-forward.md for several domain controllers, in both families on both sides, and
// without its sections policy and health.
const poolConfig = `version: 1
listeners:
  - {name: gc, mode: forward, address: 10.77.9.2, backends: [dc1, dc2]}
  - {name: gc6, mode: forward, address: "fd77:9::2", backends: [dc1, dc2]}
backends:
  - {name: dc1, address: 10.77.2.2}
  - {name: dc2, address: "fd77:4::2"}
metrics: {address: 127.0.0.1:9135}
`

// startPool starts two domain controllers of the same options, each on a machine of its own, and the proxy in front of them, with
// the given sections in its configuration. It returns when the proxy knows where NSPI is on both.
func startPool(t *testing.T, o lab.DCOptions, sections string) *poolStage {
	t.Helper()
	s := &poolStage{Network: lab.StartNetwork(t)}
	for i, machine := range s.DCs {
		o.On = machine
		s.dcs[i] = lab.StartDC(t, o)
	}
	s.proxy = lab.StartProxy(t, lab.ProxyOptions{On: s.Router, OrdinaryUser: true, Config: poolConfig + sections})
	waitForPorts(t, s.proxy, "dc1", "dc2")
	return s
}

// waitForPorts waits until the proxy knows where NSPI is on the named domain controllers.
func waitForPorts(t *testing.T, proxy *lab.Proxy, names ...string) {
	t.Helper()
	for _, name := range names {
		lab.Eventually(t, lab.SettleTime, "the proxy knows the ports of "+name, func() bool {
			return slices.ContainsFunc(proxy.Events("dc.ports"), func(r lab.Record) bool { return r.DC() == name && r["ports"] != nil })
		})
	}
}

// dial connects a machine to NSPI behind the pool, from local if that is valid. The connection ends with the test.
func (s *poolStage) dial(t *testing.T, on *lab.Machine, local netip.Addr) *lab.Conn {
	t.Helper()
	front := s.Router.Address
	if local.Is6() {
		front = s.Router.Address6
	}
	return lab.DialFrom(t, on, front, local)
}

// session opens a session in a new association.
func (s *poolStage) session(t *testing.T, on *lab.Machine, local netip.Addr) *lab.Conn {
	t.Helper()
	c := s.dial(t, on, local)
	lab.OpenSession(t, c)
	return c
}

// checkHeld waits until the proxy and both domain controllers agree on the sessions of each, and no bind is under way.
func (s *poolStage) checkHeld(t *testing.T, want ...int) {
	t.Helper()
	var has string
	defer func() {
		if t.Failed() {
			t.Log(has)
		}
	}()
	lab.Eventually(t, lab.SettleTime, fmt.Sprintf("%d sessions on the domain controllers, for themselves and for the proxy", want), func() bool {
		var held, counted []int
		m := s.proxy.Metrics(t)
		for i, dc := range s.dcs {
			held = append(held, int(m.Sum("nspiproxy_backend_sessions", fmt.Sprintf(`dc="dc%d"`, i+1))))
			counted = append(counted, dc.Count(t).Sessions)
		}
		total, reserved := int(m.Sum("nspiproxy_sessions_held")), int(m.Sum("nspiproxy_sessions_reserved"))
		has = fmt.Sprintf("the proxy holds %d in all, %d, and reserves %d; the domain controllers hold %d", total, held, reserved, counted)
		return slices.Equal(held, want) && slices.Equal(counted, want) && total == want[0]+want[1] && reserved == 0
	})
}

// checkNobodyLeft waits until nobody knows of a client's connection, association or session.
func (s *poolStage) checkNobodyLeft(t *testing.T) {
	t.Helper()
	s.checkHeld(t, 0, 0)
	lab.Eventually(t, lab.SettleTime, "no connection is left", func() bool {
		m := s.proxy.Metrics(t)
		return m.Sum("nspiproxy_connections") == 0 && m.Sum("nspiproxy_associations") == 0
	})
}

// nspiPort is the port of NSPI that an address's endpoint mapper names to a client.
func nspiPort(t *testing.T, from *lab.Machine, address string) int {
	t.Helper()
	port, err := from.MapPort(address)
	if err != nil {
		t.Fatal(err)
	}
	return int(port)
}

// serverGUID is what a domain controller calls itself in its answer to NspiBind. It has another one after a restart.
type serverGUID [nspi.GUIDSize]byte

// bindWhere opens a session in a new association, and returns who has it.
func bindWhere(t *testing.T, c *lab.Conn) serverGUID {
	t.Helper()
	if err := c.Bind(0); err != nil {
		t.Fatal(err)
	}
	stub := nspi.AppendBindRequest(nil, nspi.BindRequest{CodePage: 1252, HasGUID: true}, nspi.NDR, rpcparse.LittleEndian)
	answer, err := c.Call(nspi.OpnumBind, stub)
	if err != nil {
		t.Fatal(err)
	}
	r, err := nspi.ParseBindResponse(answer, nspi.NDR, rpcparse.LittleEndian)
	if err != nil || !r.Granted() || !r.HasGUID {
		t.Fatalf("NspiBind: %+v, %v", r, err)
	}
	return r.GUID
}

// guidOf asks a domain controller, past the proxy, what it calls itself.
func guidOf(t *testing.T, from *lab.Machine, dc *lab.DC) serverGUID {
	t.Helper()
	c := lab.DialFrom(t, from, netip.MustParseAddr(dc.Address), netip.Addr{})
	defer c.Close()
	return bindWhere(t, c)
}
