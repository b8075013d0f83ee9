//go:build lab

package path

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/internal/testkit/lab"
	"github.com/nspiproxy/nspiproxy/proxy/client"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

// evasion is alice, who has all the sessions that she may have, one, and another machine of hers from which she wants more.
type evasion struct {
	*lab.PathProxy
	t      *testing.T
	dc     *lab.DC
	at     *lab.Machine // where the domain controller is
	from   *lab.Machine // whence she tries
	honest *client.Conn
}

// startEvasion starts the proxy with a limit of one, and opens that session.
func startEvasion(t *testing.T, mode string, d lab.DCOptions) *evasion {
	t.Helper()
	return startEvasionWith(t, d, lab.PathOptions{Mode: mode})
}

// startEvasionWith is startEvasion with a configuration of its own.
func startEvasionWith(t *testing.T, d lab.DCOptions, o lab.PathOptions) *evasion {
	t.Helper()
	network := lab.StartNetwork(t)
	d.On = network.DCs[0]
	e := &evasion{t: t, dc: lab.StartDC(t, d), at: network.DCs[0], from: network.Clients[1]}
	o.Limit, o.DCs, o.Listed = 1, []*lab.DC{e.dc}, network.DCs[:1]
	e.PathProxy = lab.StartPath(t, network, o)
	e.open()
	return e
}

// open opens the session that she may have, as it should be done.
func (e *evasion) open() {
	e.t.Helper()
	port, err := e.Network.Clients[0].MapPort(e.dc.Address)
	if err != nil {
		e.t.Fatal(err)
	}
	e.honest, err = e.dial(e.Network.Clients[0], netip.AddrPortFrom(e.at.Address, port), 0)
	if err == nil {
		_, err = e.honest.NspiBind()
	}
	if err != nil {
		e.t.Fatal(err)
	}
}

// dial connects a machine as alice, at level CONNECT: there the proxy's refusal is NSPI's own. The connection ends with the
// test.
func (e *evasion) dial(on *lab.Machine, to netip.AddrPort, group uint32) (*client.Conn, error) {
	o := asAlice(on, rpcparse.LevelConnect)
	o.Group = group
	c, err := client.Dial(to.String(), o)
	if err == nil {
		e.t.Cleanup(c.Close)
	}
	return c, err
}

func asAlice(on *lab.Machine, level rpcparse.AuthLevel) client.Options {
	return client.Options{
		Connect: on.Dial, Security: &client.Security{Level: level, Domain: lab.Domain, User: lab.Alice.Name, Password: lab.Alice.Password},
	}
}

// ports are those of NSPI, as the endpoint mapper tells the domain controller's own machine.
func (e *evasion) ports() (ports []uint16) {
	e.t.Helper()
	all, err := client.Map(netip.AddrPortFrom(e.at.Address, lab.PortEPM).String(), nspi.Interface, client.Options{Connect: e.at.Dial})
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
	for _, f := range lab.Families {
		for _, port := range ports {
			want = append(want, netip.AddrPortFrom(f.Of(e.at), port))
		}
	}
	slices.SortFunc(want, netip.AddrPort.Compare)
	lab.Eventually(e.t, followTime, "the kernel leads the ports of NSPI to the proxy", func() bool { return slices.Equal(e.Learnt(e.t), want) })
	return time.Since(begin)
}

// followTime is several times as long as a new port takes to be intercepted, which is a second.
const followTime = 10 * time.Second

// refused connects to a port of the domain controller, and wants the connection to come to the proxy and more to be refused
// there.
func (e *evasion) refused(to netip.AddrPort, group uint32) {
	e.t.Helper()
	binds := e.dc.Count(e.t).Binds
	e.CheckTaken(e.t, 1, func() {
		c, err := e.dial(e.from, to, group)
		if err != nil {
			e.t.Fatalf("%s: %v", to, err)
		}
		if _, err := c.NspiBind(); !client.IsCode(err, nspi.LogonFailed) {
			e.t.Errorf("a bind beyond the limit, on %s: %v", to, err)
		}
	})
	if n := e.dc.Count(e.t).Binds; n != binds {
		e.t.Errorf("the refused bind, on %s, has reached the domain controller", to)
	}
}

// TestPathNoPortAndNoAddressIsAWayAround: nobody has asked the endpoint mapper through the proxy for them.
func TestPathNoPortAndNoAddressIsAWayAround(t *testing.T) {
	lab.InBothModes(t, func(t *testing.T, mode string) {
		e := startEvasion(t, mode, lab.DCOptions{MorePorts: 2})
		ports := e.ports()
		if len(ports) != 3 {
			t.Fatalf("the domain controller has the ports %v", ports)
		}
		e.followed(ports...)
		for _, f := range lab.Families {
			for _, port := range ports {
				e.refused(netip.AddrPortFrom(f.Of(e.at), port), 0)
			}
		}
	})
}

// TestPathNoAssociationIsAWayAround: not alice's own, in which she is counted as anywhere, and not that of another client, who
// may have sessions left.
func TestPathNoAssociationIsAWayAround(t *testing.T) {
	lab.InBothModes(t, func(t *testing.T, mode string) {
		e := startEvasion(t, mode, lab.DCOptions{})
		to := netip.AddrPortFrom(e.at.Address, e.ports()[0])
		if _, err := e.dial(e.from, to, e.honest.Group); err == nil {
			t.Error("another client's association was joined")
		}
		if n := e.Metrics(t).Sum("nspiproxy_association_refusals_total"); n != 1 {
			t.Errorf("the proxy has refused %v joins, want 1", n)
		}
		e.from = e.Network.Clients[0]
		e.refused(to, e.honest.Group)
	})
}
