//go:build lab

package path

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/nspiproxy/nspiproxy/internal/testkit/lab"
	"github.com/nspiproxy/nspiproxy/internal/testkit/simdc"
	"github.com/nspiproxy/nspiproxy/proxy/client"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

// behind are the ports of other interfaces of the process of NSPI in these tests.
const behind = 4

// TestPathNoOtherInterfaceIsAWayAround: NSPI is bound on ports that the endpoint mapper names for other interfaces. Both
// families, and however the configuration came to take them.
func TestPathNoOtherInterfaceIsAWayAround(t *testing.T) {
	for name, o := range map[string]lab.PathOptions{
		"tproxy":           {Mode: "tproxy", SameProcess: "true"},
		"redirect, closed": {Mode: "redirect", WhenDown: "closed"},
		"tproxy, closed":   {Mode: "tproxy", WhenDown: "closed"},
		"redirect, open":   {Mode: "redirect", WhenDown: "open", SameProcess: "true"},
	} {
		t.Run(name, func(t *testing.T) {
			e := startEvasionWith(t, lab.DCOptions{Process: behind}, o)
			others := lab.ProcessPorts(t, e.at)
			if len(others) != behind {
				t.Fatalf("other interfaces have the ports %v", others)
			}
			e.followed(append(e.ports(), others...)...)
			for _, f := range lab.Families {
				for _, port := range others {
					e.refused(netip.AddrPortFrom(f.Of(e.at), port), 0)
				}
			}
			e.restartDC(behind)
		})
	}
}

// restartDC restarts the domain controller, whose ports are others then, and wants them followed.
func (e *evasion) restartDC(others int) {
	e.t.Helper()
	before := lab.ProcessPorts(e.t, e.at)
	e.dc.Restart(e.t, 0)
	e.open()
	after := lab.ProcessPorts(e.t, e.at)
	if slices.Equal(before, after) || len(after) != others {
		e.t.Fatalf("the ports of other interfaces were %v and are %v", before, after)
	}
	e.followed(append(e.ports(), after...)...)
	e.refused(netip.AddrPortFrom(e.at.Address, after[0]), 0)
}

// TestPathOtherInterfacesAreAWayAroundWhereTheyAreNotTaken: what the page says of same_process false.
func TestPathOtherInterfacesAreAWayAroundWhereTheyAreNotTaken(t *testing.T) {
	for name, o := range map[string]lab.PathOptions{
		"tproxy": {Mode: "tproxy", WhenDown: "open"}, "redirect, closed": {Mode: "redirect", WhenDown: "closed", SameProcess: "false"},
	} {
		t.Run(name, func(t *testing.T) {
			e := startEvasionWith(t, lab.DCOptions{Process: behind}, o)
			e.followed(e.ports()...)
			e.CheckTaken(t, 0, func() {
				c, err := e.dial(e.from, netip.AddrPortFrom(e.at.Address, lab.ProcessPorts(t, e.at)[0]), 0)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := c.NspiBind(); err != nil {
					t.Errorf("a bind on a port of another interface: %v", err)
				}
				if n := e.dc.Count(t).Sessions; n != 2 {
					t.Errorf("the domain controller has %d sessions", n)
				}
				c.Close()
			})
		})
	}
}

// TestPathOtherInterfacesPassByteExact: sealed calls with answers of many fragments, several at once, on each port; NSPI that is
// refused on the same connection costs them nothing.
func TestPathOtherInterfacesPassByteExact(t *testing.T) {
	lab.InBothModes(t, func(t *testing.T, mode string) {
		e := startEvasionWith(t, lab.DCOptions{Process: behind}, lab.PathOptions{Mode: mode, SameProcess: "true"})
		others := lab.ProcessPorts(t, e.at)
		e.followed(append(e.ports(), others...)...)
		e.CheckTaken(t, len(others), func() {
			for i, port := range others {
				o := asAlice(e.from, rpcparse.LevelPrivacy)
				o.Contexts = []rpcparse.ContextElement{client.Context(0, nspi.Process[i].Syntax)}
				if nspi.Process[i].Name == "rfri" {
					o.Contexts = []rpcparse.ContextElement{client.Context(0, simdc.EchoInterface)}
				}
				c, err := client.Dial(netip.AddrPortFrom(e.at.Address, port).String(), o)
				if err != nil {
					t.Fatal(err)
				}
				exchange(t, c)
				c.Close()
			}
		})
	})
}

// exchange has stubs of all sizes sent back, many at once, and long answers.
func exchange(t *testing.T, c *client.Conn) {
	t.Helper()
	sizes := []int{1, 17, 900, 5_800, 6_000, 40_000, 200_000}
	var ids []uint32
	for _, size := range sizes {
		id, err := c.Send(client.Request{Opnum: simdc.EchoOpnum, Stub: simdc.EchoPattern(size)})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	for i, size := range sizes {
		a, err := c.Await(ids[i])
		if err != nil || !slices.Equal(a.Stub, simdc.EchoPattern(size)) {
			t.Errorf("a stub of %d bytes: %d came back, %v", size, len(a.Stub), err)
		}
	}
}

// TestPathConnectionsFromBeforeAPortWasKnownEndOnBothSides: once, and what connects again comes to the proxy.
func TestPathConnectionsFromBeforeAPortWasKnownEndOnBothSides(t *testing.T) {
	for mode, down := range map[string]string{"tproxy": "open", "redirect": "closed"} {
		t.Run(mode, func(t *testing.T) {
			network := lab.StartNetwork(t)
			at, from := network.DCs[0], network.Clients[0]
			dc := lab.StartDC(t, lab.DCOptions{On: at, Process: 1, Anonymous: true})
			proxy := lab.StartPath(t, network, lab.PathOptions{Mode: mode, WhenDown: down, SameProcess: "true", Limit: 50, DCs: []*lab.DC{dc}})
			to := netip.AddrPortFrom(at.Address, lab.ProcessPorts(t, at)[0])
			var before *client.Conn
			proxy.CheckTaken(t, 0, func() { before = echoing(t, from, to) })
			if _, err := from.MapPort(dc.Address); err != nil { // the first question that the proxy hears
				t.Fatal(err)
			}
			lab.Eventually(t, followTime, "the port is known", func() bool { return slices.Contains(proxy.Learnt(t), to) })
			if _, err := before.Send(client.Request{Opnum: simdc.EchoOpnum, Stub: make([]byte, 8)}); err == nil {
				if _, _, err := before.ReadPDU(); err == nil {
					t.Error("the connection from before is served past the proxy")
				}
			}
			lab.Eventually(t, followTime, "the domain controller has been told", func() bool { return dc.Count(t).Connections == 0 })
			proxy.CheckTaken(t, 1, func() { echoing(t, from, to).Close() })
		})
	}
}

// echoing connects to the echo interface on a port, and has something sent back.
func echoing(t *testing.T, from *lab.Machine, to netip.AddrPort) *client.Conn {
	t.Helper()
	c, err := client.Dial(to.String(), client.Options{Connect: from.Dial, Contexts: []rpcparse.ContextElement{client.Context(0, simdc.EchoInterface)}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	exchange(t, c)
	return c
}
