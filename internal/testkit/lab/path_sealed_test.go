//go:build lab

package lab

import (
	"net/netip"
	"testing"

	"github.com/nspiproxy/nspiproxy/proxy/client"
	"github.com/nspiproxy/nspiproxy/rpcparse"
)

// TestPathSambaServesSealedSessions to Samba's client on other machines, with tickets for the domain controller's own name, and
// sees who they are as far as the mode shows it.
func TestPathSambaServesSealedSessions(t *testing.T) {
	network := StartNetwork(t)
	at := network.DCs[0]
	samba := StartSambaOn(t, at)
	inBothModes(t, func(t *testing.T, mode string) {
		proxy := startPath(t, network, pathOptions{mode: mode, limit: 50, samba: samba, listed: network.DCs[:1]})
		sealedSessions(t, proxy.Proxy, samba, network.Clients, func(f pathFamily, client *Machine) (to, from netip.Addr) {
			if mode == "redirect" {
				return f.of(at), f.router(at)
			}
			return f.of(at), f.of(client)
		})
	})
	t.Run("forward", func(t *testing.T) {
		proxy := StartProxy(t, ProxyOptions{On: network.Router, OrdinaryUser: true, Limit: 50, Listeners: forwardBoth(network)})
		sealedSessions(t, proxy, samba, network.Clients, func(f pathFamily, _ *Machine) (to, from netip.Addr) {
			return f.of(network.Router), pathFamilies[0].router(at)
		})
	})
}

// sealedSessions opens sessions sealed with each mechanism, from both clients, by both families. ends says where they connect to,
// and who the domain controller must see.
func sealedSessions(t *testing.T, proxy *Proxy, samba *Samba, clients [2]*Machine, ends func(f pathFamily, client *Machine) (to, from netip.Addr)) {
	t.Helper()
	for _, machine := range clients {
		client := StartSambaClientOn(t, machine, samba)
		for _, login := range routedLogins {
			for _, f := range pathFamilies {
				to, from := ends(f, machine)
				login.Address = to.String()
				routedSession(t, samba, client, login, from)
			}
		}
	}
	m := proxy.Metrics(t)
	if opened, connections := m.Sum("nspiproxy_sessions_opened_total"), m.Sum("nspiproxy_connections_total"); opened != 16 || connections != 32 {
		t.Errorf("the proxy has seen %v sessions on %v connections, want 16 on 32", opened, connections)
	}
}

// TestPathClientsWorkSealed: Impacket's, and one that answers wrong signatures with an error.
func TestPathClientsWorkSealed(t *testing.T) {
	inBothModes(t, func(t *testing.T, mode string) {
		network := StartNetwork(t)
		at := network.DCs[1]
		dc := StartDC(t, DCOptions{On: at})
		proxy := startPath(t, network, pathOptions{mode: mode, limit: 50, dcs: []*DC{dc}})
		for _, machine := range network.Clients {
			impacket := StartImpacketOn(t, machine)
			for _, f := range pathFamilies {
				seen := func(local netip.AddrPort) { checkOnly(t, dc, mode, local, f.router(at)) }
				proxy.checkTaken(t, 4, func() {
					impacketSession(t, impacket, ways[4].at(f.of(at).String()), seen) // NTLM
					impacketSession(t, impacket, ways[7].at(f.of(at).String()), seen) // in SPNEGO
				})
				proxy.checkTaken(t, 4, func() {
					goSession(t, machine, f.of(at), rpcparse.AuthNTLM, seen)
					goSession(t, machine, f.of(at), rpcparse.AuthSPNEGO, seen)
				})
			}
		}
	})
}

// checkOnly holds what the domain controller sees of its only session to what the mode shows: the client's end of the
// connection, or the router's address.
func checkOnly(t *testing.T, dc *DC, mode string, local netip.AddrPort, router netip.Addr) {
	t.Helper()
	sessions := dc.Peers(t).Sessions
	if len(sessions) != 1 {
		t.Errorf("the domain controller has the sessions %v", sessions)
	}
	for seen := range sessions {
		if mode == "redirect" && seen.Addr() != router || mode == "tproxy" && seen != local {
			t.Errorf("%s: the domain controller sees %s for %s", mode, seen, local)
		}
	}
}

// impacketSession opens a session, has seen look at it, and ends it.
func impacketSession(t *testing.T, client *Impacket, l Login, seen func(local netip.AddrPort)) {
	t.Helper()
	local := expect(t, "connect", client.Connect("a", l)).Local
	handle := expect(t, "bind", client.Bind("a")).Handle
	expect(t, "query", client.Query("a", handle))
	seen(netip.MustParseAddrPort(local))
	expect(t, "unbind", client.Unbind("a", handle))
	expect(t, "close", client.Close("a", false))
}

// goSession does the same with the client of our own, which finds the port under a seal, too.
func goSession(t *testing.T, on *Machine, server netip.Addr, mechanism rpcparse.AuthType, seen func(local netip.AddrPort)) {
	t.Helper()
	port := question{name: "sealed ept_map", level: rpcparse.LevelPrivacy}.ask(t, on, server)[0]
	o := asAlice(on, rpcparse.LevelPrivacy)
	o.Security.Type = mechanism
	c, err := client.Dial(netip.AddrPortFrom(server, port).String(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	handle, err := c.NspiBind()
	if err != nil {
		t.Fatal(err)
	}
	seen(c.Local())
	if err := c.NspiUnbind(handle); err != nil {
		t.Error(err)
	}
}
