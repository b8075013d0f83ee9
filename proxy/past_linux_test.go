package proxy

import (
	"testing"

	"github.com/nspiproxy/nspiproxy/proxy/client"
)

// A client holds its association open past the proxy: by another endpoint of the
// same process, say, which nobody intercepts. The domain controller keeps its
// sessions when the connections end that the proxy sees.
func TestAssociationThatIsHeldPastTheProxyFreesNoSlots(t *testing.T) {
	s := newStage(t, nil)
	server := s.dc.NSPIAddr()
	past, err := client.Dial(server.String(), client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer past.Close()
	for range 4 {
		c, err := client.Dial(s.address, client.Options{Group: past.Group})
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
