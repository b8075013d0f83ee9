//go:build lab

package lab

import (
	"net"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nspiproxy/nspiproxy/internal/testkit/lab/rawnspi"
)

// TestPathTPROXYIsSeenByNobody: domain controllers see clients as they are, and clients domain controllers.
func TestPathTPROXYIsSeenByNobody(t *testing.T) {
	network := StartNetwork(t)
	dcs := []*DC{
		StartDC(t, DCOptions{On: network.DCs[0], Anonymous: true}), StartDC(t, DCOptions{On: network.DCs[1], Anonymous: true}),
	}
	proxy := startPath(t, network, pathOptions{mode: "tproxy", limit: 50, dcs: dcs, listed: network.DCs[:]})
	for i, dc := range dcs {
		for _, client := range network.Clients {
			for _, f := range pathFamilies {
				for _, local := range []netip.Addr{f.of(client), f.more(client, 0), f.more(client, 99)} {
					proxy.checkTaken(t, 2, func() { checkSeen(t, dc, dialRouted(t, client, f.of(network.DCs[i]), local), local) })
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
	network := StartNetwork(t)
	dc := StartDC(t, DCOptions{On: network.DCs[0], Anonymous: true})
	startPath(t, network, pathOptions{mode: "tproxy", limit: 50, dcs: []*DC{dc}, listed: network.DCs[:1]})
	client := network.Clients[0]
	for _, f := range pathFamilies {
		at := netip.AddrPortFrom(f.of(client), 41000)
		port, err := client.mapPort(f.of(network.DCs[0]).String())
		if err != nil {
			t.Fatal(err)
		}
		occupy(t, network.Router, at)
		conn := dialFrom(t, client, at, netip.AddrPortFrom(f.of(network.DCs[0]), port))
		seen := sessionOf(t, dc, rawnspi.New(conn))
		if seen.Addr() != at.Addr() || seen.Port() == at.Port() {
			t.Errorf("the domain controller sees %s for a client on %s", seen, at)
		}
		t.Logf("%s: the client is %s, the domain controller sees %s", f.name, at, seen)
	}
}

// occupy binds a socket on a machine to an address that is perhaps not its own, and to a port that nobody else may have then.
func occupy(t *testing.T, on *Machine, at netip.AddrPort) {
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
func dialFrom(t *testing.T, on *Machine, from, to netip.AddrPort) (conn *net.TCPConn) {
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
func sessionOf(t *testing.T, dc *DC, c *rawnspi.Client) (peer netip.AddrPort) {
	t.Helper()
	handle := bindSession(t, c)
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
	network := StartNetwork(t)
	dc := StartDC(t, DCOptions{On: network.DCs[0], Anonymous: true})
	proxy := startPath(t, network, pathOptions{mode: "redirect", limit: 50, dcs: []*DC{dc}, listed: network.DCs[:1]})
	for _, client := range network.Clients {
		for _, f := range pathFamilies {
			server := f.of(network.DCs[0])
			proxy.checkTaken(t, 2, func() {
				c := dialRouted(t, client, server, netip.Addr{})
				if at := ends(c); at.Server.Addr() != server || at.Client.Addr() != f.of(client) {
					t.Errorf("%s has a connection from %s to %s", client.Name, at.Client, at.Server)
				}
				if seen, want := sessionOf(t, dc, c), f.router(network.DCs[0]); seen.Addr() != want {
					t.Errorf("the domain controller sees %s, want %s", seen, want)
				}
			})
		}
	}
}

// TestPathForwardShowsTheRouterToBoth, with clients that are pointed at it.
func TestPathForwardShowsTheRouterToBoth(t *testing.T) {
	network := StartNetwork(t)
	router := network.Router
	dc := StartDC(t, DCOptions{On: network.DCs[0], Anonymous: true})
	proxy := StartProxy(t, ProxyOptions{On: router, OrdinaryUser: true, Limit: 50, Listeners: forwardBoth(network)})
	for _, client := range network.Clients {
		for _, f := range pathFamilies {
			c := dialRouted(t, client, f.of(router), netip.Addr{})
			if at := ends(c); at.Server.Addr() != f.of(router) || at.Client.Addr() != f.of(client) {
				t.Errorf("%s has a connection from %s to %s", client.Name, at.Client, at.Server)
			}
			if seen, want := sessionOf(t, dc, c), pathFamilies[0].router(network.DCs[0]); seen.Addr() != want {
				t.Errorf("the domain controller sees %s, want %s", seen, want)
			}
		}
	}
	checkHeld(t, proxy, dc, 0)
}

// TestPathAssociationsAreJoinedFromTheirOwnAddressOnly: with TPROXY by the domain controller's own check as well.
func TestPathAssociationsAreJoinedFromTheirOwnAddressOnly(t *testing.T) {
	for _, mode := range []string{"tproxy", "redirect"} {
		t.Run(mode, func(t *testing.T) {
			network := StartNetwork(t)
			dc := StartDC(t, DCOptions{On: network.DCs[0], Anonymous: true})
			proxy := startPath(t, network, pathOptions{mode: mode, limit: 50, dcs: []*DC{dc}, listed: network.DCs[:1]})
			joinedFromOwnAddressOnly(t, network)
			if n := proxy.Metrics(t).Sum("nspiproxy_association_refusals_total"); n != 3 {
				t.Errorf("%v joins were refused by the proxy, want 3", n)
			}
		})
	}
}
