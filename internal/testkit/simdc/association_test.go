package simdc_test

import (
	"testing"

	"github.com/nspiproxy/nspiproxy/internal/testkit/simdc"
	"github.com/nspiproxy/nspiproxy/proxy/client"
	"github.com/nspiproxy/nspiproxy/rpcparse"
)

func TestSessionsSurviveAConnectionAndEndWithTheLast(t *testing.T) {
	dc := start(t, simdc.Config{})
	first := dial(t, dc, client.Options{Security: alice(rpcparse.LevelPrivacy)})
	second := dial(t, dc, client.Options{Group: first.Group, Security: bob(rpcparse.LevelConnect)})
	h := bind(t, first)
	bind(t, first)
	bind(t, second)
	first.Reset()
	eventually(t, "the first connection is gone", func() bool { return dc.Connections() == 1 })
	if got := dc.TotalSessions(); got != 3 {
		t.Errorf("%d sessions after the loss of the first connection", got)
	}
	if err := second.NspiUnbind(h); err != nil {
		t.Errorf("unbind on the other connection: %v", err)
	}
	if list := dc.Associations(); len(list) != 1 || list[0].ID != first.Group || list[0].Connections != 1 || list[0].Handles != 2 {
		t.Errorf("%+v", list)
	}
	second.Close()
	eventually(t, "all sessions are run down", func() bool { return dc.TotalSessions() == 0 && len(dc.Associations()) == 0 })
	if _, err := client.Dial(dc.NSPIAddr().String(), client.Options{Group: first.Group}); !client.IsNak(err, rpcparse.NakNotSpecified) {
		t.Errorf("joining an association that has ended: %v", err)
	}
}

func TestAssociationsBelongToOneAddressAndOneEndpoint(t *testing.T) {
	dc := start(t, simdc.Config{MorePorts: 1})
	c := dial(t, dc, client.Options{})
	for name, o := range map[string]struct {
		addr string
		o    client.Options
	}{
		"unknown":       {dc.NSPIAddr().String(), client.Options{Group: c.Group + 100}},
		"other address": {dc.NSPIAddr().String(), client.Options{Group: c.Group, Local: loopback2}},
		"other port":    {dc.NSPIAddrs()[1].String(), client.Options{Group: c.Group}},
	} {
		if _, err := client.Dial(o.addr, o.o); !client.IsNak(err, rpcparse.NakNotSpecified) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestKillResetsAndCloseEnds(t *testing.T) {
	for name, end := range map[string]func(*simdc.Server){"kill": (*simdc.Server).Kill, "close": (*simdc.Server).Close} {
		dc := start(t, simdc.Config{AnonymousBind: true})
		c := dial(t, dc, client.Options{})
		bind(t, c)
		end(dc)
		if _, _, err := c.ReadPDU(); !ended(err) {
			t.Errorf("%s: %v", name, err)
		}
		if dc.TotalSessions() != 0 || dc.Connections() != 0 {
			t.Errorf("%s: %d sessions on %d connections left", name, dc.TotalSessions(), dc.Connections())
		}
		if _, err := client.Dial(dc.NSPIAddr().String(), client.Options{}); err == nil {
			t.Errorf("%s: still listening", name)
		}
	}
}

func TestStartRefusesWhatItCannotListenOn(t *testing.T) {
	dc := start(t, simdc.Config{EPMPort: -1})
	if dc.EPMAddr().IsValid() {
		t.Error("an endpoint mapper that was not asked for")
	}
	for name, cfg := range map[string]simdc.Config{
		"a name":            {Address: "dc1"},
		"a taken NSPI port": {NSPIPort: int(dc.NSPIAddr().Port())},
		"a taken EPM port":  {EPMPort: int(dc.NSPIAddr().Port())},
	} {
		if s, err := simdc.Start(cfg); err == nil {
			s.Close()
			t.Errorf("%s: started", name)
		}
	}
}
