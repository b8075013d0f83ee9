//go:build lab

package path

import (
	"errors"
	"net/netip"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/internal/testkit/lab"
	"github.com/nspiproxy/nspiproxy/proxy/client"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

// TestPathNewPortAfterARestartIsFollowed by the kernel's set: whoever connects to it without asking may be early once, and loses
// that connection.
func TestPathNewPortAfterARestartIsFollowed(t *testing.T) {
	lab.InBothModes(t, func(t *testing.T, mode string) {
		e := startEvasion(t, mode, lab.DCOptions{NSPIPort: 50000})
		e.followed(50000)
		for port := uint16(50001); port <= 50003; port++ {
			e.dc.Restart(t, int(port))
			before := e.Taken(t)
			early, err := e.dial(e.from, netip.AddrPortFrom(e.at.Address, port), 0)
			if err == nil {
				_, err = early.NspiBind()
			}
			passed := err == nil && e.Taken(t) == before
			took := e.followed(port)
			t.Logf("port %d is followed after %s; before that somebody passed: %t", port, took.Round(time.Millisecond), passed)
			if passed {
				checkCut(t, early)
			} else if early != nil {
				early.Close()
			}
			lab.CheckHeld(t, e.Proxy, e.dc, 0)
			e.followed(port)
			e.open()
			e.refused(netip.AddrPortFrom(e.at.Address, port), 0)
			e.refused(netip.AddrPortFrom(e.at.Address6, port), 0)
			e.honest.Close()
			lab.CheckHeld(t, e.Proxy, e.dc, 0)
		}
	})
}

// TestPathConnectionsMadePastTheProxyAreCut as soon as their port is known. Here nobody has asked for it before, and the domain
// controller is not listed.
func TestPathConnectionsMadePastTheProxyAreCut(t *testing.T) {
	lab.InBothModes(t, func(t *testing.T, mode string) {
		network := lab.StartNetwork(t)
		at := network.DCs[0]
		dc := lab.StartDC(t, lab.DCOptions{On: at})
		proxy := lab.StartPath(t, network, lab.PathOptions{Mode: mode, Limit: 1, DCs: []*lab.DC{dc}, Policy: "  scope: all"})
		e := &evasion{PathProxy: proxy, t: t, dc: dc, at: at, from: network.Clients[1]}
		port := e.ports()[0]
		var early []*client.Conn
		proxy.CheckTaken(t, 0, func() {
			for _, f := range lab.Families {
				c, err := e.dial(e.from, netip.AddrPortFrom(f.Of(at), port), 0)
				if err == nil {
					_, err = c.NspiBind()
				}
				if err != nil {
					t.Fatal(err)
				}
				early = append(early, c)
			}
		})
		e.open()
		for i, f := range lab.Families {
			if ports := (question{name: f.Name}).ask(t, e.from, f.Of(at)); !slices.Equal(ports, []uint16{port}) {
				t.Errorf("the endpoint mapper names %v, want port %d", ports, port)
			}
			checkCut(t, early[i])
			e.refused(netip.AddrPortFrom(f.Of(at), port), 0)
		}
		lab.CheckHeld(t, proxy.Proxy, dc, 1) // both sides have heard of the end of those connections
	})
}

// TestPathProtectedQuestionsHideNothing: what the endpoint mapper answers under a signature or a seal, the proxy finds out by
// itself. Where it knew nothing of a domain controller, it does so then.
func TestPathProtectedQuestionsHideNothing(t *testing.T) {
	lab.InBothModes(t, func(t *testing.T, mode string) {
		network := lab.StartNetwork(t)
		at := network.DCs[0]
		dc := lab.StartDC(t, lab.DCOptions{On: at, MorePorts: 1, Addresses: manyAddresses(at, 2)})
		proxy := lab.StartPath(t, network, lab.PathOptions{
			Mode: mode, Limit: 1, DCs: []*lab.DC{dc}, Listed: network.DCs[:1], Policy: "  scope: all",
		})
		e := &evasion{PathProxy: proxy, t: t, dc: dc, at: at, from: network.Clients[1]}
		e.followed(e.ports()...)
		e.open()
		for i, level := range []rpcparse.AuthLevel{rpcparse.LevelIntegrity, rpcparse.LevelPrivacy} {
			q := question{name: level.String(), level: level}
			for _, f := range lab.Families {
				for _, port := range q.ask(t, e.from, f.Of(at)) {
					e.refused(netip.AddrPortFrom(f.Of(at), port), 0)
				}
				e.unknown(q, f.More(at, i))
			}
		}
		dc.Restart(t, 0) // it was not told of the end of connections that were cut
	})
}

// unknown asks a question of a domain controller that the proxy does not know, and connects at once. Whoever passes the proxy
// loses that connection.
func (e *evasion) unknown(q question, server netip.Addr) {
	e.t.Helper()
	to := netip.AddrPortFrom(server, q.ask(e.t, e.from, server)[0])
	before := e.Taken(e.t)
	early, err := e.dial(e.from, to, 0)
	if err == nil {
		_, err = early.NspiBind()
	}
	passed := err == nil && e.Taken(e.t) == before
	begin := time.Now()
	lab.Eventually(e.t, followTime, "the port is intercepted", func() bool { return slices.Contains(e.Learnt(e.t), to) })
	e.t.Logf("%s, %s is intercepted after %s; before that somebody passed: %t", q.name, to, time.Since(begin).Round(time.Millisecond), passed)
	if passed {
		checkCut(e.t, early)
	} else if !client.IsCode(err, nspi.LogonFailed) && !errors.Is(err, syscall.ECONNRESET) {
		e.t.Errorf("a bind beyond the limit: %v", err)
	}
	e.refused(to, 0)
}

// checkCut uses a connection that was made past the proxy before its port was intercepted.
func checkCut(t *testing.T, c *client.Conn) {
	t.Helper()
	if _, err := c.NspiBind(); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("a connection that passes by the proxy: %v, want a reset", err)
	}
}
