//go:build lab

package path

import (
	"net"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nspiproxy/nspiproxy/internal/testkit/lab"
)

// TestPathTPROXYIsSeenByNobody: domain controllers see clients as they are, and clients domain controllers.
func TestPathTPROXYIsSeenByNobody(t *testing.T) {
	network := lab.StartNetwork(t)
	dcs := []*lab.DC{
		lab.StartDC(t, lab.DCOptions{On: network.DCs[0], Anonymous: true}), lab.StartDC(t, lab.DCOptions{On: network.DCs[1], Anonymous: true}),
	}
	proxy := lab.StartPath(t, network, lab.PathOptions{Mode: "tproxy", Limit: 50, DCs: dcs, Listed: network.DCs[:]})
	for i, dc := range dcs {
		for _, client := range network.Clients {
			for _, f := range lab.Families {
				for _, local := range []netip.Addr{f.Of(client), f.More(client, 0), f.More(client, 99)} {
					proxy.CheckTaken(t, 2, func() { lab.CheckSeen(t, dc, lab.DialFrom(t, client, f.Of(network.DCs[i]), local), local) })
				}
			}
		}
		if n := dc.Count(t).Sessions; n != 12 {
			t.Errorf("%d sessions, want 12", n)
		}
	}
	if n := proxy.Metrics(t).Sum("nspiproxy_sessions_held"); n != 24 {
		t.Errorf("the proxy holds %v sessions, want 24", n)
	}
}

// TestPathTPROXYKeepsTheAddressWhereThePortIsTaken: a socket on the router has the address and port already that the proxy's
// own connection would have.
func TestPathTPROXYKeepsTheAddressWhereThePortIsTaken(t *testing.T) {
	network := lab.StartNetwork(t)
	dc := lab.StartDC(t, lab.DCOptions{On: network.DCs[0], Anonymous: true})
	lab.StartPath(t, network, lab.PathOptions{Mode: "tproxy", Limit: 50, DCs: []*lab.DC{dc}, Listed: network.DCs[:1]})
	client := network.Clients[0]
	for _, f := range lab.Families {
		at := netip.AddrPortFrom(f.Of(client), 41000)
		port, err := client.MapPort(f.Of(network.DCs[0]).String())
		if err != nil {
			t.Fatal(err)
		}
		occupy(t, network.Router, at)
		conn := dialFrom(t, client, at, netip.AddrPortFrom(f.Of(network.DCs[0]), port))
		seen := sessionOf(t, dc, lab.NewConn(conn))
		if seen.Addr() != at.Addr() || seen.Port() == at.Port() {
			t.Errorf("the domain controller sees %s for a client on %s", seen, at)
		}
		t.Logf("%s: the client is %s, the domain controller sees %s", f.Name, at, seen)
	}
}

// occupy binds a socket on a machine to an address that is perhaps not its own, and to a port that nobody else may have then.
func occupy(t *testing.T, on *lab.Machine, at netip.AddrPort) {
	t.Helper()
	err := on.Do(func() error {
		family, level, option, to := unix.AF_INET6, unix.IPPROTO_IPV6, unix.IPV6_TRANSPARENT,
			unix.Sockaddr(&unix.SockaddrInet6{Port: int(at.Port()), Addr: at.Addr().As16()})
		if at.Addr().Is4() {
			family, level, option = unix.AF_INET, unix.IPPROTO_IP, unix.IP_TRANSPARENT
			to = &unix.SockaddrInet4{Port: int(at.Port()), Addr: at.Addr().As4()}
		}
		fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		t.Cleanup(func() { _ = unix.Close(fd) })
		if err := unix.SetsockoptInt(fd, level, option, 1); err != nil {
			return err
		}
		return unix.Bind(fd, to)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// dialFrom connects a machine from an address and port of its own. The connection ends with the test.
func dialFrom(t *testing.T, on *lab.Machine, from, to netip.AddrPort) (conn *net.TCPConn) {
	t.Helper()
	err := on.Do(func() (err error) {
		conn, err = net.DialTCP("tcp", net.TCPAddrFromAddrPort(from), net.TCPAddrFromAddrPort(to))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// sessionOf opens a session on c, and ends it. It returns who has opened it, as the domain controller sees it, which must have
// no other one.
func sessionOf(t *testing.T, dc *lab.DC, c *lab.Conn) (peer netip.AddrPort) {
	t.Helper()
	handle := lab.OpenSession(t, c)
	sessions := dc.Peers(t).Sessions
	for peer = range sessions {
	}
	if len(sessions) != 1 {
		t.Errorf("the domain controller has the sessions %v", sessions)
	}
	if _, err := c.NspiUnbind(handle); err != nil {
		t.Error(err)
	}
	return peer
}

// TestPathRedirectShowsTheRouter to domain controllers, and domain controllers to clients.
func TestPathRedirectShowsTheRouter(t *testing.T) {
	network := lab.StartNetwork(t)
	dc := lab.StartDC(t, lab.DCOptions{On: network.DCs[0], Anonymous: true})
	proxy := lab.StartPath(t, network, lab.PathOptions{Mode: "redirect", Limit: 50, DCs: []*lab.DC{dc}, Listed: network.DCs[:1]})
	for _, client := range network.Clients {
		for _, f := range lab.Families {
			server := f.Of(network.DCs[0])
			proxy.CheckTaken(t, 2, func() {
				c := lab.DialFrom(t, client, server, netip.Addr{})
				if at := lab.EndsOf(c); at.Server.Addr() != server || at.Client.Addr() != f.Of(client) {
					t.Errorf("%s has a connection from %s to %s", client.Name, at.Client, at.Server)
				}
				if seen, want := sessionOf(t, dc, c), f.Router(network.DCs[0]); seen.Addr() != want {
					t.Errorf("the domain controller sees %s, want %s", seen, want)
				}
			})
		}
	}
}

// TestPathForwardShowsTheRouterToBoth, with clients that are pointed at it.
func TestPathForwardShowsTheRouterToBoth(t *testing.T) {
	network := lab.StartNetwork(t)
	router := network.Router
	dc := lab.StartDC(t, lab.DCOptions{On: network.DCs[0], Anonymous: true})
	proxy := lab.StartProxy(t, lab.ProxyOptions{On: router, OrdinaryUser: true, Limit: 50, Listeners: lab.ForwardBoth(network)})
	for _, client := range network.Clients {
		for _, f := range lab.Families {
			c := lab.DialFrom(t, client, f.Of(router), netip.Addr{})
			if at := lab.EndsOf(c); at.Server.Addr() != f.Of(router) || at.Client.Addr() != f.Of(client) {
				t.Errorf("%s has a connection from %s to %s", client.Name, at.Client, at.Server)
			}
			if seen, want := sessionOf(t, dc, c), lab.Families[0].Router(network.DCs[0]); seen.Addr() != want {
				t.Errorf("the domain controller sees %s, want %s", seen, want)
			}
		}
	}
	lab.CheckHeld(t, proxy, dc, 0)
}

// TestPathAssociationsAreJoinedFromTheirOwnAddressOnly: with TPROXY by the domain controller's own check as well.
func TestPathAssociationsAreJoinedFromTheirOwnAddressOnly(t *testing.T) {
	for _, mode := range []string{"tproxy", "redirect"} {
		t.Run(mode, func(t *testing.T) {
			network := lab.StartNetwork(t)
			dc := lab.StartDC(t, lab.DCOptions{On: network.DCs[0], Anonymous: true})
			proxy := lab.StartPath(t, network, lab.PathOptions{Mode: mode, Limit: 50, DCs: []*lab.DC{dc}, Listed: network.DCs[:1]})
			lab.CheckJoinedFromOwnAddressOnly(t, network)
			if n := proxy.Metrics(t).Sum("nspiproxy_association_refusals_total"); n != 3 {
				t.Errorf("%v joins were refused by the proxy, want 3", n)
			}
		})
	}
}
