package simdc_test

import (
	"maps"
	"net/netip"
	"testing"

	"github.com/nspiproxy/nspiproxy/internal/testkit/simdc"
	"github.com/nspiproxy/nspiproxy/proxy/client"
	"github.com/nspiproxy/nspiproxy/rpcparse"
)

func TestPeersAreToldAsTheServerSeesThem(t *testing.T) {
	dc := start(t, simdc.Config{})
	first := dial(t, dc, client.Options{Security: alice(rpcparse.LevelPrivacy)})
	second := dial(t, dc, client.Options{Local: loopback2, Security: bob(rpcparse.LevelConnect)})
	want := []simdc.Peer{{Client: first.Local(), Server: dc.NSPIAddr()}, {Client: second.Local(), Server: dc.NSPIAddr()}}
	got := dc.Peers()
	if len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("connected are %v, want %v", got, want)
	}
	second.Reset()
	eventually(t, "the second connection is gone", func() bool { return len(dc.Peers()) == 1 })
}

func TestSessionsStayTheirFirstConnectionsWhenItEnds(t *testing.T) {
	dc := start(t, simdc.Config{})
	first := dial(t, dc, client.Options{Security: alice(rpcparse.LevelPrivacy)})
	second := dial(t, dc, client.Options{Group: first.Group, Security: bob(rpcparse.LevelConnect)})
	h := bind(t, first)
	bind(t, first)
	bind(t, second)
	want := map[netip.AddrPort]int{first.Local(): 2, second.Local(): 1}
	if got := dc.SessionPeers(); !maps.Equal(got, want) {
		t.Errorf("sessions by peer are %v, want %v", got, want)
	}
	first.Close()
	eventually(t, "the first connection is gone", func() bool { return dc.Connections() == 1 })
	if err := second.NspiUnbind(h); err != nil {
		t.Fatal(err)
	}
	want[first.Local()] = 1
	if got := dc.SessionPeers(); !maps.Equal(got, want) {
		t.Errorf("sessions by peer after an unbind are %v, want %v", got, want)
	}
	second.Close()
	eventually(t, "all sessions are run down", func() bool { return len(dc.SessionPeers()) == 0 })
}

// TestEveryPortIsOpenOnEveryAddress as on a host with several: one endpoint mapper's answer is right for all of them.
func TestEveryPortIsOpenOnEveryAddress(t *testing.T) {
	dc := start(t, simdc.Config{Addresses: []string{"127.0.0.3"}, MorePorts: 1, AnonymousBind: true})
	other := netip.MustParseAddr("127.0.0.3")
	for _, at := range dc.NSPIAddrs() {
		c, err := client.Dial(netip.AddrPortFrom(other, at.Port()).String(), client.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		bind(t, c)
	}
	for _, p := range dc.Peers() {
		if p.Server.Addr() != other {
			t.Errorf("%v is connected to %v", p.Client, p.Server)
		}
	}
	mapper := netip.AddrPortFrom(other, dc.EPMAddr().Port())
	ends, err := client.Map(mapper.String(), simdc.EchoInterface, client.Options{})
	if err != nil || len(ends) != 2 || ends[0].Port != dc.NSPIAddr().Port() {
		t.Errorf("the endpoint mapper names %v, %v; NSPI is on %v", ends, err, dc.NSPIAddrs())
	}
	dc.Close()
	if _, err := client.Connect(mapper.String(), netip.Addr{}); err == nil {
		t.Error("the second address accepts after the end")
	}
}
