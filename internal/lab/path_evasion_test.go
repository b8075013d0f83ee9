//go:build lab

package lab

import (
	"errors"
	"net/netip"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/internal/rpcclient"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

// evasion is alice, who has all the sessions that she may have, one, and another machine of hers from which she wants more.
type evasion struct {
	*pathProxy
	t      *testing.T
	dc     *DC
	at     *Machine // where the domain controller is
	from   *Machine // whence she tries
	honest *rpcclient.Conn
}

// startEvasion starts the proxy with a limit of one, and opens that session.
func startEvasion(t *testing.T, mode string, d DCOptions) *evasion {
	t.Helper()
	network := StartNetwork(t)
	d.On = network.DCs[0]
	e := &evasion{t: t, dc: StartDC(t, d), at: network.DCs[0], from: network.Clients[1]}
	e.pathProxy = startPath(t, network, pathOptions{mode: mode, limit: 1, dcs: []*DC{e.dc}, listed: network.DCs[:1]})
	e.open()
	return e
}

// open opens the session that she may have, as it should be done.
func (e *evasion) open() {
	e.t.Helper()
	port, err := e.network.Clients[0].mapPort(e.dc.Address)
	if err != nil {
		e.t.Fatal(err)
	}
	e.honest, err = e.dial(e.network.Clients[0], netip.AddrPortFrom(e.at.Address, port), 0)
	if err == nil {
		_, err = e.honest.NspiBind()
	}
	if err != nil {
		e.t.Fatal(err)
	}
}

// dial connects a machine as alice, at level CONNECT: there the proxy's refusal is NSPI's own. The connection ends with the
// test.
func (e *evasion) dial(on *Machine, to netip.AddrPort, group uint32) (*rpcclient.Conn, error) {
	o := asAlice(on, rpcparse.LevelConnect)
	o.Group = group
	c, err := rpcclient.Dial(to.String(), o)
	if err == nil {
		e.t.Cleanup(c.Close)
	}
	return c, err
}

func asAlice(on *Machine, level rpcparse.AuthLevel) rpcclient.Options {
	return rpcclient.Options{
		Connect: on.Dial, Security: &rpcclient.Security{Level: level, Domain: Domain, User: Alice.Name, Password: Alice.Password},
	}
}

// ports are those of NSPI, as the endpoint mapper tells the domain controller's own machine.
func (e *evasion) ports() (ports []uint16) {
	e.t.Helper()
	all, err := rpcclient.Map(netip.AddrPortFrom(e.at.Address, portEPM).String(), nspi.Interface, rpcclient.Options{Connect: e.at.Dial})
	if err != nil {
		e.t.Fatal(err)
	}
	for _, end := range all {
		ports = append(ports, end.Port)
	}
	slices.Sort(ports)
	return ports
}

// followed waits until the kernel leads exactly these ports to the proxy, on both addresses. It returns how long that took.
func (e *evasion) followed(ports ...uint16) time.Duration {
	e.t.Helper()
	begin := time.Now()
	var want []netip.AddrPort
	for _, f := range pathFamilies {
		for _, port := range ports {
			want = append(want, netip.AddrPortFrom(f.of(e.at), port))
		}
	}
	slices.SortFunc(want, netip.AddrPort.Compare)
	Eventually(e.t, followTime, "the kernel leads the ports of NSPI to the proxy", func() bool { return slices.Equal(e.learnt(e.t), want) })
	return time.Since(begin)
}

// followTime is several times as long as a new port takes to be intercepted, which is a second.
const followTime = 10 * time.Second

// refused connects to a port of the domain controller, and wants the connection to come to the proxy and more to be refused
// there.
func (e *evasion) refused(to netip.AddrPort, group uint32) {
	e.t.Helper()
	binds := e.dc.Count(e.t).Binds
	e.checkTaken(e.t, 1, func() {
		c, err := e.dial(e.from, to, group)
		if err != nil {
			e.t.Fatalf("%s: %v", to, err)
		}
		if _, err := c.NspiBind(); !rpcclient.IsCode(err, nspi.LogonFailed) {
			e.t.Errorf("a bind beyond the limit, on %s: %v", to, err)
		}
	})
	if n := e.dc.Count(e.t).Binds; n != binds {
		e.t.Errorf("the refused bind, on %s, has reached the domain controller", to)
	}
}

// inBothModes runs a test in each transparent mode.
func inBothModes(t *testing.T, test func(t *testing.T, mode string)) {
	for mode := range pathModes {
		t.Run(mode, func(t *testing.T) { test(t, mode) })
	}
}

// TestPathNoPortAndNoAddressIsAWayAround: nobody has asked the endpoint mapper through the proxy for them.
func TestPathNoPortAndNoAddressIsAWayAround(t *testing.T) {
	inBothModes(t, func(t *testing.T, mode string) {
		e := startEvasion(t, mode, DCOptions{MorePorts: 2})
		ports := e.ports()
		if len(ports) != 3 {
			t.Fatalf("the domain controller has the ports %v", ports)
		}
		e.followed(ports...)
		for _, f := range pathFamilies {
			for _, port := range ports {
				e.refused(netip.AddrPortFrom(f.of(e.at), port), 0)
			}
		}
	})
}

// TestPathNoAssociationIsAWayAround: not alice's own, in which she is counted as anywhere, and not that of another client, who
// may have sessions left.
func TestPathNoAssociationIsAWayAround(t *testing.T) {
	inBothModes(t, func(t *testing.T, mode string) {
		e := startEvasion(t, mode, DCOptions{})
		to := netip.AddrPortFrom(e.at.Address, e.ports()[0])
		if _, err := e.dial(e.from, to, e.honest.Group); err == nil {
			t.Error("another client's association was joined")
		}
		if n := e.Metrics(t).Sum("nspiproxy_association_refusals_total"); n != 1 {
			t.Errorf("the proxy has refused %v joins, want 1", n)
		}
		e.from = e.network.Clients[0]
		e.refused(to, e.honest.Group)
	})
}

// TestPathNewPortAfterARestartIsFollowed by the kernel's set: whoever connects to it without asking may be early once, and loses
// that connection.
func TestPathNewPortAfterARestartIsFollowed(t *testing.T) {
	inBothModes(t, func(t *testing.T, mode string) {
		e := startEvasion(t, mode, DCOptions{NSPIPort: 50000})
		e.followed(50000)
		for port := uint16(50001); port <= 50003; port++ {
			e.dc.Restart(t, int(port))
			before := e.taken(t)
			early, err := e.dial(e.from, netip.AddrPortFrom(e.at.Address, port), 0)
			if err == nil {
				_, err = early.NspiBind()
			}
			passed := err == nil && e.taken(t) == before
			took := e.followed(port)
			t.Logf("port %d is followed after %s; before that somebody passed: %t", port, took.Round(time.Millisecond), passed)
			if passed {
				checkCut(t, early)
				e.dc.Restart(t, int(port)) // nobody has told it of the end of that connection
			} else if early != nil {
				early.Close()
			}
			checkHeld(t, e.Proxy, e.dc, 0)
			e.followed(port)
			e.open()
			e.refused(netip.AddrPortFrom(e.at.Address, port), 0)
			e.refused(netip.AddrPortFrom(e.at.Address6, port), 0)
			e.honest.Close()
			checkHeld(t, e.Proxy, e.dc, 0)
		}
	})
}

// TestPathProtectedQuestionsHideNothing: what the endpoint mapper answers under a signature or a seal, the proxy finds out by
// itself. Where it knew nothing of a domain controller, it does so then.
func TestPathProtectedQuestionsHideNothing(t *testing.T) {
	inBothModes(t, func(t *testing.T, mode string) {
		network := StartNetwork(t)
		at := network.DCs[0]
		dc := StartDC(t, DCOptions{On: at, MorePorts: 1, Addresses: manyAddresses(at, 2)})
		proxy := startPath(t, network, pathOptions{
			mode: mode, limit: 1, dcs: []*DC{dc}, listed: network.DCs[:1], policy: "  scope: all",
		})
		e := &evasion{pathProxy: proxy, t: t, dc: dc, at: at, from: network.Clients[1]}
		e.followed(e.ports()...)
		e.open()
		for i, level := range []rpcparse.AuthLevel{rpcparse.LevelIntegrity, rpcparse.LevelPrivacy} {
			q := question{name: level.String(), level: level}
			for _, f := range pathFamilies {
				for _, port := range q.ask(t, e.from, f.of(at)) {
					e.refused(netip.AddrPortFrom(f.of(at), port), 0)
				}
				e.unknown(q, f.more(at, i))
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
	before := e.taken(e.t)
	early, err := e.dial(e.from, to, 0)
	if err == nil {
		_, err = early.NspiBind()
	}
	passed := err == nil && e.taken(e.t) == before
	begin := time.Now()
	Eventually(e.t, followTime, "the port is intercepted", func() bool { return slices.Contains(e.learnt(e.t), to) })
	e.t.Logf("%s, %s is intercepted after %s; before that somebody passed: %t", q.name, to, time.Since(begin).Round(time.Millisecond), passed)
	if passed {
		checkCut(e.t, early)
	} else if !rpcclient.IsCode(err, nspi.LogonFailed) && !errors.Is(err, syscall.ECONNRESET) {
		e.t.Errorf("a bind beyond the limit: %v", err)
	}
	e.refused(to, 0)
}

// checkCut uses a connection that was made past the proxy before its port was intercepted.
func checkCut(t *testing.T, c *rpcclient.Conn) {
	t.Helper()
	if _, err := c.NspiBind(); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("a connection that passes by the proxy: %v, want a reset", err)
	}
}
