//go:build lab

package failure

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/internal/testkit/lab"
	"github.com/nspiproxy/nspiproxy/internal/testkit/simdc"
)

// failPath is a proxy in the network path of clients to two domain controllers, for tests of what fails. Most of them are about
// the first one, dc1.
type failPath struct {
	*lab.Network
	*lab.PathProxy
	dc, other *lab.DC
}

// startFailPath starts all of them. Everybody may have many sessions, unless o has a limit; o.mode is tproxy by default, and
// the configuration names dc1 unless o.listed says something else.
func startFailPath(t *testing.T, o lab.PathOptions, dc lab.DCOptions) *failPath {
	t.Helper()
	p := &failPath{Network: lab.StartNetwork(t)}
	dc.Anonymous = true
	for n, d := range []**lab.DC{&p.dc, &p.other} {
		dc.On = p.DCs[n]
		*d = lab.StartDC(t, dc)
	}
	o.Mode, o.Limit = cmp.Or(o.Mode, "tproxy"), cmp.Or(o.Limit, 1000)
	o.DCs = []*lab.DC{p.dc, p.other}
	if o.Listed == nil {
		o.Listed = p.DCs[:1]
	}
	p.PathProxy = lab.StartPath(t, p.Network, o)
	return p
}

// restart is that of dc1. It ends before the proxy then, so the test itself has to look whether anything is left.
func (p *failPath) restart(t *testing.T, port int) {
	t.Helper()
	p.dc.Restart(t, port)
	p.Options.DCs = []*lab.DC{p.other}
}

// intercepted says whether the kernel leads connections to that port to the proxy.
func (p *failPath) intercepted(t *testing.T, server netip.Addr, port uint16) bool {
	t.Helper()
	return slices.Contains(p.Learnt(t), netip.AddrPortFrom(server, port))
}

// bothModes are those of a proxy in the path.
var bothModes = []string{"tproxy", "redirect"}

// addresses are those of dc1.
func (p *failPath) addresses() []netip.Addr { return []netip.Addr{p.DCs[0].Address, p.DCs[0].Address6} }

// holdsNothing waits until the proxy counts no session and no bind that is under way.
func (p *failPath) holdsNothing(t *testing.T, limit time.Duration) {
	t.Helper()
	lab.Eventually(t, limit, "the proxy holds nothing", func() bool {
		m := p.Metrics(t)
		return m.Sum("nspiproxy_sessions_held")+m.Sum("nspiproxy_sessions_reserved") == 0
	})
}

// becomesUnreachable waits until the proxy knows that of both addresses of dc1.
func (p *failPath) becomesUnreachable(t *testing.T) {
	t.Helper()
	lab.Eventually(t, lab.SilenceTime, "the domain controller is unreachable", func() bool {
		return p.Metrics(t).Sum("nspiproxy_backend_state", `state="unreachable"`) == 2
	})
}

// refusedPromptly tries to reach a port of dc1 from a client.
func (p *failPath) refusedPromptly(t *testing.T, server netip.Addr, port uint16) {
	t.Helper()
	if took := p.refusedAfter(t, server, port); took > lab.PromptTime {
		t.Errorf("a connection to port %d of %s was refused after %s", port, server, took)
	}
}

// refusedAfter is how long that takes.
func (p *failPath) refusedAfter(t *testing.T, server netip.Addr, port uint16) time.Duration {
	t.Helper()
	began := time.Now()
	client, err := joinAt(p.Clients[0], netip.AddrPortFrom(server, port), netip.Addr{})
	took := time.Since(began)
	if err == nil {
		client.Close()
	}
	if !isRefused(err) {
		t.Errorf("a connection to port %d of %s: %v after %s", port, server, err, took)
	}
	return took
}

// checkLeft has the crew leave, and holds what remains to nothing. The proxy's own questions to the domain controller go on.
func (p *failPath) checkLeft(t *testing.T, c *crew) {
	t.Helper()
	c.leave()
	if c.refused != 0 {
		t.Errorf("%d binds were refused: a slot was held that nobody had", c.refused)
	}
	p.checkNobodyLeft(t)
}

// checkNobodyLeft waits until neither the proxy nor dc1 knows of any client, and looks whether they have always agreed.
func (p *failPath) checkNobodyLeft(t *testing.T) {
	t.Helper()
	lab.CheckHeld(t, p.Proxy, p.dc, 0)
	lab.Eventually(t, lab.SettleTime, "no connection is left", func() bool {
		m := p.Metrics(t)
		return m.Sum("nspiproxy_connections") == 0 && m.Sum("nspiproxy_associations") == 0 && len(p.ofNSPI(t)) == 0
	})
	if n := p.Metrics(t).Sum("nspiproxy_sessions_ended_total", `cause="drift"`); n != 0 {
		t.Errorf("%v sessions were counted that the domain controller did not have", n)
	}
}

// serverHasNobody waits until the domain controller has neither a session nor a client on a port of NSPI.
func (p *failPath) serverHasNobody(t *testing.T) {
	t.Helper()
	lab.Eventually(t, lab.SettleTime, "the domain controller has no client", func() bool {
		return p.dc.Count(t).Sessions == 0 && len(p.ofNSPI(t)) == 0
	})
}

// ofNSPI are the connections to ports of NSPI that the domain controller has.
func (p *failPath) ofNSPI(t *testing.T) []simdc.Peer {
	t.Helper()
	return slices.DeleteFunc(p.dc.Peers(t).Connections, func(c simdc.Peer) bool { return c.Server.Port() == lab.PortEPM })
}

// joined is a connection with a session, from the first client machine. It ends with the test.
func (p *failPath) joined(t *testing.T, server netip.Addr) *lab.Conn {
	t.Helper()
	client, err := join(p.Clients[0], server, netip.Addr{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// logged waits until the proxy's log has a record of that event.
func (p *failPath) logged(t *testing.T, event string) {
	t.Helper()
	lab.Eventually(t, lab.SettleTime, "the log has "+event, func() bool { return len(p.Events(event)) > 0 })
}

// hasConnections waits until the proxy has so many.
func (p *failPath) hasConnections(t *testing.T, n int) {
	t.Helper()
	lab.Eventually(t, lab.SettleTime, fmt.Sprintf("the proxy has %d connections", n), func() bool {
		return int(p.Metrics(t).Sum("nspiproxy_connections")) == n
	})
}
