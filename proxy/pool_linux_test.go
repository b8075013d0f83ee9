package proxy

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/internal/testkit/simdc"
	"github.com/nspiproxy/nspiproxy/policy"
	"github.com/nspiproxy/nspiproxy/proxy/backend"
	"github.com/nspiproxy/nspiproxy/proxy/client"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

// poolStage is several domain controllers with one listener in front of them.
type poolStage struct {
	stage
	dcs []*simdc.Server
}

// newPoolStage starts n domain controllers. All of them number their
// associations from 1.
func newPoolStage(t *testing.T, n int, change func(*policy.Config)) *poolStage {
	t.Helper()
	number := byte(stages.Add(1))
	config := policy.Defaults()
	config.Policy.Default.Limit = 3
	config.Relay.ShutdownTimeout = time.Second
	config.Health.EndpointInterval = 20 * time.Millisecond
	config.Health.Interval = 50 * time.Millisecond
	s := &poolStage{stage: stage{t: t, log: &book{}}}
	front := policy.Listener{Name: "front", Mode: policy.ModeForward, Address: netip.AddrFrom4([4]byte{127, 1, number, 20})}
	for i := range n {
		dc := startDC(t, netip.AddrFrom4([4]byte{127, 1, number, byte(10 + i)}), 0)
		name := fmt.Sprintf("dc%d", i+1)
		config.Backends = append(config.Backends, policy.Backend{Name: name, Address: dc.EPMAddr().Addr(), EPMPort: dc.EPMAddr().Port()})
		front.Backends = append(front.Backends, name)
		s.dcs = append(s.dcs, dc)
	}
	front.EPMPort = s.dcs[0].EPMAddr().Port()
	config.Listeners = []policy.Listener{front}
	if change != nil {
		change(&config)
	}
	s.start(&config)
	s.mapper = fmt.Sprintf("%v:%d", front.Address, front.EPMPort)
	s.eventually("where NSPI is is known of all", func() bool {
		return !slices.ContainsFunc(s.proxy.controllers.All(), func(dc *backend.DC) bool { return dc.Name != "itself" && len(dc.NSPI()) == 0 })
	})
	s.address = s.mapPort()
	return s
}

// startDC starts a domain controller whose endpoint mapper is on port; 0: any.
func startDC(t *testing.T, at netip.Addr, port uint16) *simdc.Server {
	t.Helper()
	dc, err := simdc.Start(simdc.Config{Address: at.String(), EPMPort: int(port), AnonymousBind: true, Users: []simdc.User{
		{Name: alice, Password: alicePassword}, {Name: bob, Password: bobPassword}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(dc.Close)
	return dc
}

// held returns how many sessions each domain controller has.
func (s *poolStage) held() (n []int) {
	for _, dc := range s.dcs {
		n = append(n, dc.TotalSessions())
	}
	return n
}

func (s *poolStage) wantHeld(n ...int) {
	s.t.Helper()
	s.eventually(fmt.Sprintf("%v sessions on the domain controllers", n), func() bool { return slices.Equal(s.held(), n) })
}

// bind opens a session in an association of its own, or joins one.
func (s *poolStage) bind(o client.Options) *client.Conn {
	s.t.Helper()
	c := s.dial(o)
	if _, err := c.NspiBind(); err != nil {
		s.t.Fatal(err)
	}
	return c
}

func TestNewAssociationsGoToTheDomainControllerWithTheFewestSessions(t *testing.T) {
	s := newPoolStage(t, 3, func(c *policy.Config) { c.Policy.Default.Limit = policy.Unlimited })
	for range 4 {
		for range 3 {
			s.bind(client.Options{})
		}
	}
	s.wantHeld(4, 4, 4)
	more := s.bind(client.Options{}) // somewhere, and there it stays the fullest
	for range 4 {
		if _, err := more.NspiBind(); err != nil {
			t.Fatal(err)
		}
	}
	for range 6 {
		s.bind(client.Options{})
	}
	held := s.held()
	slices.Sort(held)
	if !slices.Equal(held, []int{7, 7, 9}) {
		t.Errorf("sessions on the domain controllers: %v", held)
	}
}

// Two domain controllers give the same id to two associations of one client.
func TestConnectionJoinsTheAssociationThatItNames(t *testing.T) {
	for name, o := range map[string]client.Options{
		"little-endian": {}, "big-endian": {Order: rpcparse.BigEndian}, "signed": as(rpcparse.LevelIntegrity),
	} {
		t.Run(name, func(t *testing.T) {
			s := newPoolStage(t, 2, nil)
			o := func() client.Options {
				if o.Security != nil {
					return as(o.Security.Level)
				}
				return o
			}
			first, second := s.bind(o()), s.bind(o())
			s.wantHeld(1, 1)
			if first.Group == second.Group {
				t.Fatalf("both associations are called %d", first.Group)
			}
			for _, c := range []*client.Conn{second, first} { // whatever the load: the first one then has more
				join := o()
				join.Group = c.Group
				joined := s.dial(join)
				if joined.Group != c.Group {
					t.Errorf("joined %d and was told %d", c.Group, joined.Group)
				}
				h, err := c.NspiBind()
				if err != nil {
					t.Fatal(err)
				}
				if err := joined.NspiUnbind(h); err != nil {
					t.Errorf("a session of the association on another connection: %v", err)
				}
				if err := joined.AlterContext(nil, client.Context(1, simdc.EchoInterface, rpcparse.SyntaxNDR)); err != nil {
					t.Errorf("alter_context: %v", err)
				}
				if joined.LastAck.AssocGroupID != c.Group {
					t.Errorf("alter_context_resp names association %d", joined.LastAck.AssocGroupID)
				}
			}
			first.Close()
			second.Close()
		})
	}
}

func TestAssociationEndsWithItsLastConnectionInAPool(t *testing.T) {
	s := newPoolStage(t, 2, nil)
	c := s.bind(client.Options{})
	c.Close()
	s.wantHeld(0, 0)
	s.eventually("its name is free", func() bool { return s.proxy.table.Count().Associations == 0 })
	if _, err := client.Dial(s.address, client.Options{Group: c.Group}); !client.IsNak(err, rpcparse.NakNotSpecified) {
		t.Errorf("an association that has ended: %v", err)
	}
}

func TestDomainControllerThatDiesLosesItsClientsToTheOthers(t *testing.T) {
	s := newPoolStage(t, 2, func(c *policy.Config) { c.Policy.Default.Limit = policy.Unlimited })
	var clients []*client.Conn
	for range 6 {
		clients = append(clients, s.bind(client.Options{}))
	}
	s.wantHeld(3, 3)
	at := s.dcs[0].EPMAddr()
	s.dcs[0].Close()
	s.eventually("its slots are free", func() bool { return s.proxy.table.Load("dc1").Sessions == 0 && s.proxy.table.Count().Sessions == 3 })
	ended := 0
	for _, c := range clients {
		if _, err := c.NspiBind(); err != nil {
			ended++
		}
	}
	if ended != 3 {
		t.Errorf("%d of 6 clients lost their connection", ended)
	}
	for range 5 {
		s.bind(client.Options{}) // the client notices nothing
	}
	s.wantHeld(0, 11)
	s.dcs[0] = startDC(t, at.Addr(), at.Port())
	s.eventually("its return is noticed", func() bool {
		return s.proxy.controllers.Members("dc1")[0].State() == backend.Serving
	})
	for range 4 {
		s.bind(client.Options{})
	}
	s.wantHeld(4, 11)
}

func TestLimitCountsForEachDomainControllerOrForAll(t *testing.T) {
	for _, scope := range []policy.Scope{policy.ScopeBackend, policy.ScopeAll} {
		t.Run(string(scope), func(t *testing.T) {
			s := newPoolStage(t, 2, func(c *policy.Config) { c.Policy.Scope = scope })
			granted := 0
			for range 2 * 4 {
				if _, err := s.dial(as(rpcparse.LevelConnect)).NspiBind(); err == nil {
					granted++
				} else if !client.IsCode(err, nspi.LogonFailed) {
					t.Fatal(err)
				}
			}
			want := 3
			if scope == policy.ScopeBackend {
				want = 6
			}
			if granted != want {
				t.Errorf("%d binds were granted on two domain controllers, want %d", granted, want)
			}
		})
	}
}

// DNS names the proxy where clients find it by the same records as the proxy finds
// domain controllers. What it would connect to is itself, and again, until there
// is no descriptor left.
func TestConnectionIsNotLedToTheProxyItself(t *testing.T) {
	for name, itself := range map[string]func(*policy.Config){
		"one of several": func(c *policy.Config) {
			front := &c.Listeners[0]
			c.Backends = append(c.Backends, policy.Backend{Name: "itself", Address: front.Address, EPMPort: front.EPMPort})
			front.Backends = append(front.Backends, "itself")
		},
		"the only one": func(c *policy.Config) {
			mirror := c.Listeners[0]
			mirror.Name, mirror.Backend, mirror.Backends = "mirror", "itself", nil
			mirror.EPMPort++
			c.Backends = append(c.Backends, policy.Backend{Name: "itself", Address: mirror.Address, EPMPort: mirror.EPMPort})
			c.Listeners = append(c.Listeners, mirror)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newPoolStage(t, 1, func(c *policy.Config) {
				c.Relay.MaxConnections = 200
				c.Health.EndpointInterval = time.Hour // asked once
				itself(c)
			})
			s.eventually("it is reported", func() bool { return len(s.log.events("backend.itself")) == 1 })
			for range 3 {
				s.bind(client.Options{})
			}
			s.wantHeld(3)
			if stats := s.proxy.group.Stats(); stats.Refused > 0 || stats.Accepted > 100 {
				t.Errorf("%d connections were accepted, %d were over the cap", stats.Accepted, stats.Refused)
			}
		})
	}
}
