package proxy

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/policy"
	"github.com/nspiproxy/nspiproxy/proxy/client"
)

// newInterceptStage starts a redirect listener. Without rules in the kernel a
// client's own destination is the original one, which is all that these tests
// need.
func newInterceptStage(t *testing.T, destinations ...string) *stage {
	t.Helper()
	config := policy.Defaults()
	config.Relay.ShutdownTimeout = time.Second
	config.Transparent.Repair = false // the rules of this machine are not the test's
	config.Transparent.StateFile = policy.File(t.TempDir() + "/ports.json")
	l := policy.Listener{Name: "path", Mode: policy.ModeRedirect, Port: freePort(t)}
	for _, d := range destinations {
		l.Destinations = append(l.Destinations, netip.MustParsePrefix(d))
	}
	config.Listeners = []policy.Listener{l}
	s := &stage{t: t, log: &book{}}
	s.start(&config)
	s.address = fmt.Sprintf(":%d", l.Port)
	return s
}

// freePort returns a port on which nothing listens, below those that the kernel gives to others meanwhile.
func freePort(t *testing.T) uint16 {
	t.Helper()
	for port := 20000 + os.Getpid()%5000; port < 32000; port++ {
		if l, err := net.Listen("tcp", fmt.Sprintf(":%d", port)); err == nil {
			l.Close()
			return uint16(port)
		}
	}
	t.Fatal("no port is free")
	return 0
}

// wantReset connects to an address and wants the connection to end.
func (s *stage) wantReset(addr string) {
	s.t.Helper()
	c, err := client.Connect(addr, netip.Addr{})
	if err != nil {
		return // refused as early as that
	}
	defer c.Close()
	if _, _, err := c.ReadPDU(); err == nil || err == io.EOF {
		s.t.Errorf("connection to %s: %v, want a reset", addr, err)
	}
}

// A router may have an address of its own in the domain controllers' network:
// who connects to the listener there must not be led to it again, and again.
func TestConnectionToTheListenerItselfIsNotLedToIt(t *testing.T) {
	s := newInterceptStage(t, "127.0.0.0/8")
	s.wantReset("127.0.0.1" + s.address)
	s.eventually("it is reported", func() bool { return len(s.log.events("intercept.foreign")) == 1 })
	if n := s.proxy.group.Stats().Accepted; n != 1 {
		t.Errorf("%d connections were accepted", n)
	}
}

func TestConnectionToAnotherDestinationIsRefused(t *testing.T) {
	s := newInterceptStage(t, "127.55.0.0/16")
	s.wantReset("127.0.0.1" + s.address)
	s.eventually("it is reported", func() bool { return len(s.log.events("intercept.foreign")) == 1 })
}

// A destination that is one address is a domain controller: where NSPI is on it
// must be known before the first client asks, who may not ask through the proxy.
func TestSingleDestinationsAreWatchedFromTheStart(t *testing.T) {
	s := newInterceptStage(t, "127.56.1.0/24", "127.56.0.1/32", "127.56.0.2/32")
	s.eventually("both are watched", func() bool { return len(s.proxy.controllers.All()) == 2 })
	for _, dc := range s.proxy.controllers.All() {
		if name := dc.Addr.String(); name != "127.56.0.1" && name != "127.56.0.2" {
			t.Errorf("%s is watched", name)
		}
	}
}
