package proxy

import (
	"net/netip"
	"testing"

	"github.com/nspiproxy/nspiproxy/policy"
	"github.com/nspiproxy/nspiproxy/proxy/client"
	"github.com/nspiproxy/nspiproxy/proxy/relay"
)

// A client holds its association open past the proxy: by another endpoint of the
// same process, say, which nobody intercepts. The domain controller keeps its
// sessions when the connections end that the proxy sees.
func TestAssociationThatIsHeldPastTheProxyFreesNoSlots(t *testing.T) {
	s := newStage(t, nil)
	dc := s.proxy.controllers.Members("dc1")[0]
	server := s.dc.NSPIAddr()
	path := &policy.Listener{Name: "path", Mode: policy.ModeTPROXY}
	l, err := s.proxy.group.Listen(relay.ListenOptions{
		Address: netip.AddrPortFrom(s.proxy.config.Listeners[0].Address, 0),
		Route: func(c *relay.Conn, attempt int) relay.Route {
			return relay.Route{Handler: s.proxy.newInspector(c, path, dc, server), Server: server}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	past, err := client.Dial(server.String(), client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer past.Close()
	for range 4 {
		c, err := client.Dial(l.Addr().String(), client.Options{Group: past.Group})
		if err != nil {
			break // not let in
		}
		for range 3 {
			if _, err := c.NspiBind(); err != nil {
				break
			}
		}
		c.Close()
		s.eventually("the connection has ended", func() bool { return s.proxy.table.Count().Connections == 0 })
	}
	if n := s.dc.TotalSessions(); n > s.proxy.table.Count().Sessions {
		t.Errorf("%d sessions on the domain controller, %d in the table", n, s.proxy.table.Count().Sessions)
	}
}
