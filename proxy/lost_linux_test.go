package proxy

import (
	"io"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/internal/testkit/simdc"
	"github.com/nspiproxy/nspiproxy/policy"
	"github.com/nspiproxy/nspiproxy/proxy/client"
	"github.com/nspiproxy/nspiproxy/rpcparse"
)

// wantAtLeastTheServers waits until the domain controller has served all it was sent, and
// checks that the proxy counts at least as many sessions.
func (s *stage) wantAtLeastTheServers() {
	s.t.Helper()
	before := -1
	s.eventually("the domain controller is done", func() bool {
		now := s.dc.Requests()[0]
		quiet := now == before && s.proxy.table.Count().Connections == 1
		before = now
		time.Sleep(20 * time.Millisecond)
		return quiet
	})
	if dc, here := s.dc.TotalSessions(), s.proxy.table.Count(); here.Sessions < dc {
		s.t.Errorf("the domain controller holds %d sessions, the proxy counts %+v", dc, here)
	}
}

func TestSessionGrantedAfterItsConnectionWasLostIsCounted(t *testing.T) {
	malformed := append([]byte{5, 0, 0xff, 0xff}, make([]byte, 12)...)
	for name, lose := range map[string]func(*testing.T, *client.Conn){
		"closed for a PDU that is none": func(t *testing.T, c *client.Conn) {
			pdus, _, err := c.Encode(client.Request{Opnum: 0, Stub: c.BindRequest()})
			if err == nil {
				err = c.Write(append(pdus[0], malformed...))
			}
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, c.TCP)
			c.Close()
		},
		"reset": func(t *testing.T, c *client.Conn) {
			if _, err := c.SendNspiBind(); err != nil {
				t.Fatal(err)
			}
			c.Reset()
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, func(_ *simdc.Config, c *policy.Config) { c.Policy.Default.Limit = 20 })
			stays := s.dial(as(rpcparse.LevelConnect))
			for range 8 {
				o := as(rpcparse.LevelConnect)
				o.Group = stays.Group
				lose(t, s.dial(o))
			}
			s.wantAtLeastTheServers()
			stays.Close()
			s.wantSessions(0)
		})
	}
}

// Nor can a client pass the limit by losing one connection after the other.
func TestLimitHoldsForBindsOnLostConnections(t *testing.T) {
	s := newStage(t, nil) // with a limit of three
	stays := s.dial(as(rpcparse.LevelConnect))
	for range 10 {
		o := as(rpcparse.LevelConnect)
		o.Group = stays.Group
		c := s.dial(o)
		if _, err := c.SendNspiBind(); err != nil {
			t.Fatal(err)
		}
		c.Reset()
	}
	s.wantAtLeastTheServers()
	if n := s.dc.TotalSessions(); n > 3 {
		t.Errorf("the domain controller holds %d sessions", n)
	}
}
