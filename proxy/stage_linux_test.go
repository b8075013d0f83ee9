package proxy

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/nspiproxy/nspiproxy/internal/testkit/simdc"
	"github.com/nspiproxy/nspiproxy/policy"
	"github.com/nspiproxy/nspiproxy/proxy/client"
	"github.com/nspiproxy/nspiproxy/rpcparse"
)

// stage is a simulated domain controller with the proxy in front of it.
type stage struct {
	t       *testing.T
	dc      *simdc.Server
	proxy   *Server
	address string // of NSPI at the proxy
	mapper  string // of the endpoint mapper at the proxy
	log     *book
}

// book is a log that can be read while it is written.
type book struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *book) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

// events returns the records of one event.
func (b *book) events(name string) (found []map[string]any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for line := range strings.Lines(b.buf.String()) {
		var m map[string]any
		if json.Unmarshal([]byte(line), &m) == nil && m["event"] == name {
			found = append(found, m)
		}
	}
	return found
}

const (
	alice, alicePassword = "alice", "Al1ce-Passw0rd!"
	bob, bobPassword     = "bob", "B0b-Passw0rd!"
)

// stages numbers the loopback addresses, so that tests can run side by side.
var stages atomic.Uint32

// newStage starts both ends; change adjusts their configuration.
func newStage(t *testing.T, change func(*simdc.Config, *policy.Config)) *stage {
	t.Helper()
	n := stages.Add(1)
	dcAddress := netip.AddrFrom4([4]byte{127, 1, byte(n), 10})
	dcConfig := simdc.Config{Address: dcAddress.String(), AnonymousBind: true, Users: []simdc.User{
		{Name: alice, Password: alicePassword}, {Name: bob, Password: bobPassword}}}
	config := policy.Defaults()
	config.Policy.Default.Limit = 3
	config.Relay.ShutdownTimeout = time.Second
	config.Listeners = []policy.Listener{{Name: "front", Mode: policy.ModeForward, Backend: "dc1", Address: netip.AddrFrom4([4]byte{127, 1, byte(n), 20})}}
	if change != nil {
		change(&dcConfig, &config)
	}
	dc, err := simdc.Start(dcConfig)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(dc.Close)
	mapper := dc.EPMAddr().Port()
	for i := range config.Listeners {
		config.Listeners[i].EPMPort = mapper
	}
	config.Backends = []policy.Backend{{Name: "dc1", Address: dcAddress, EPMPort: mapper}}

	s := &stage{t: t, dc: dc, log: &book{}}
	s.start(&config)
	s.mapper = fmt.Sprintf("%v:%d", config.Listeners[0].Address, mapper)
	s.address = s.mapPort()
	return s
}

// start runs the proxy.
func (s *stage) start(config *policy.Config) {
	s.t.Helper()
	var err error
	if s.proxy, err = New(config, Options{Log: zerolog.New(s.log)}); err != nil {
		s.t.Fatal(err)
	}
	if err := s.proxy.Start(); err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = s.proxy.Run(ctx) }()
	s.t.Cleanup(func() { cancel(); <-ended })
}

// mapPort asks the endpoint mapper through the proxy where NSPI is.
func (s *stage) mapPort() string {
	s.t.Helper()
	ends, err := client.Map(s.mapper, nspiInterface, client.Options{})
	if err != nil || len(ends) == 0 {
		s.t.Fatalf("ept_map: %v, %v", ends, err)
	}
	host, _, _ := strings.Cut(s.mapper, ":")
	return fmt.Sprintf("%s:%d", host, ends[0].Port)
}

func (s *stage) dial(o client.Options) *client.Conn {
	s.t.Helper()
	c, err := client.Dial(s.address, o)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(c.Close)
	return c
}

// as returns the options of a connection as alice.
func as(level rpcparse.AuthLevel) client.Options {
	return client.Options{Security: &client.Security{Level: level, Domain: "LAB", User: alice, Password: alicePassword}}
}

// eventually waits for what needs packets to arrive.
func (s *stage) eventually(what string, ok func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(5 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("never: %s; table %+v", what, s.proxy.table.Count())
		}
	}
}

// wantSessions waits until the table and the domain controller agree on n.
func (s *stage) wantSessions(n int) {
	s.t.Helper()
	s.eventually(fmt.Sprintf("%d sessions on both sides", n), func() bool {
		c := s.proxy.table.Count()
		return c.Sessions == n && c.Reserved+c.Provisional == 0 && s.dc.TotalSessions() == n
	})
}

// wantReachedDC checks how many NspiBind requests the domain controller saw.
func (s *stage) wantReachedDC(n int) {
	s.t.Helper()
	if got := s.dc.Requests()[0]; got != n {
		s.t.Errorf("%d NspiBind requests reached the domain controller, want %d", got, n)
	}
}

// metric returns the value of a counter; label is one of its labels' value, or
// empty for the only one.
func (s *stage) metric(name, label string) float64 {
	s.t.Helper()
	families, err := s.proxy.reporter.Registry().Gather()
	if err != nil {
		s.t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			if len(m.GetLabel()) == 0 && label == "" {
				return m.GetCounter().GetValue()
			}
			for _, l := range m.GetLabel() {
				if l.GetValue() == label {
					return m.GetCounter().GetValue()
				}
			}
		}
	}
	return 0
}
