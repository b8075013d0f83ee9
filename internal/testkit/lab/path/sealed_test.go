//go:build lab

package path

import (
	"net/netip"
	"testing"

	"github.com/nspiproxy/nspiproxy/internal/testkit/lab"
	"github.com/nspiproxy/nspiproxy/proxy/client"
	"github.com/nspiproxy/nspiproxy/rpcparse"
)

// TestPathSambaServesSealedSessions to Samba's client on other machines, with tickets for the domain controller's own name, and
// sees who they are as far as the mode shows it.
func TestPathSambaServesSealedSessions(t *testing.T) {
	network := lab.StartNetwork(t)
	at := network.DCs[0]
	samba := lab.StartSambaOn(t, at)
	lab.InBothModes(t, func(t *testing.T, mode string) {
		proxy := lab.StartPath(t, network, lab.PathOptions{Mode: mode, Limit: 50, Samba: samba, Listed: network.DCs[:1]})
		sealedSessions(t, proxy.Proxy, samba, network.Clients, func(f lab.Family, client *lab.Machine) (to, from netip.Addr) {
			if mode == "redirect" {
				return f.Of(at), f.Router(at)
			}
			return f.Of(at), f.Of(client)
		})
	})
	t.Run("forward", func(t *testing.T) {
		proxy := lab.StartProxy(t, lab.ProxyOptions{On: network.Router, OrdinaryUser: true, Limit: 50, Listeners: lab.ForwardBoth(network)})
		sealedSessions(t, proxy, samba, network.Clients, func(f lab.Family, _ *lab.Machine) (to, from netip.Addr) {
			return f.Of(network.Router), lab.Families[0].Router(at)
		})
	})
}

// sealedSessions opens sessions sealed with each mechanism, from both clients, by both families. ends says where they connect to,
// and who the domain controller must see.
func sealedSessions(t *testing.T, proxy *lab.Proxy, samba *lab.Samba, clients [2]*lab.Machine, ends func(f lab.Family, client *lab.Machine) (to, from netip.Addr)) {
	t.Helper()
	for _, machine := range clients {
		client := lab.StartSambaClientOn(t, machine, samba)
		for _, login := range lab.SealedLogins {
			for _, f := range lab.Families {
				to, from := ends(f, machine)
				login.Address = to.String()
				lab.CheckSealedSession(t, samba, client, login, from)
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
	lab.InBothModes(t, func(t *testing.T, mode string) {
		network := lab.StartNetwork(t)
		at := network.DCs[1]
		dc := lab.StartDC(t, lab.DCOptions{On: at})
		proxy := lab.StartPath(t, network, lab.PathOptions{Mode: mode, Limit: 50, DCs: []*lab.DC{dc}})
		for _, machine := range network.Clients {
			impacket := lab.StartImpacketOn(t, machine)
			for _, f := range lab.Families {
				seen := func(local netip.AddrPort) { checkOnly(t, dc, mode, local, f.Router(at)) }
				proxy.CheckTaken(t, 4, func() {
					impacketSession(t, impacket, lab.NTLMPrivacy.At(f.Of(at).String()), seen)
					impacketSession(t, impacket, lab.SPNEGOPrivacy.At(f.Of(at).String()), seen)
				})
				proxy.CheckTaken(t, 4, func() {
					goSession(t, machine, f.Of(at), rpcparse.AuthNTLM, seen)
					goSession(t, machine, f.Of(at), rpcparse.AuthSPNEGO, seen)
				})
			}
		}
	})
}

// checkOnly holds what the domain controller sees of its only session to what the mode shows: the client's end of the
// connection, or the router's address.
func checkOnly(t *testing.T, dc *lab.DC, mode string, local netip.AddrPort, router netip.Addr) {
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
func impacketSession(t *testing.T, client *lab.Impacket, l lab.Login, seen func(local netip.AddrPort)) {
	t.Helper()
	local := lab.Expect(t, "connect", client.Connect("a", l)).Local
	handle := lab.Expect(t, "bind", client.Bind("a")).Handle
	lab.Expect(t, "query", client.Query("a", handle))
	seen(netip.MustParseAddrPort(local))
	lab.Expect(t, "unbind", client.Unbind("a", handle))
	lab.Expect(t, "close", client.Close("a", false))
}

// goSession does the same with the client of our own, which finds the port under a seal, too.
func goSession(t *testing.T, on *lab.Machine, server netip.Addr, mechanism rpcparse.AuthType, seen func(local netip.AddrPort)) {
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
