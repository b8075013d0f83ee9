package proxy

import (
	"fmt"
	"strings"
	"testing"

	"github.com/nspiproxy/nspiproxy/internal/testkit/simdc"
	"github.com/nspiproxy/nspiproxy/policy"
	"github.com/nspiproxy/nspiproxy/proxy/client"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

// In mode forward the endpoint mapper leads clients of every interface through the
// proxy, whatever the configuration says of transparent listeners.
func TestForwardedPortsOfOtherInterfacesAreNoWayAround(t *testing.T) {
	const others = 4
	s := newStage(t, func(d *simdc.Config, c *policy.Config) {
		d.ProcessPorts = others
		c.Policy.Default.Limit = 1
	})
	own := s.dial(as(rpcparse.LevelConnect))
	if _, err := own.NspiBind(); err != nil {
		t.Fatal(err)
	}
	host, _, _ := strings.Cut(s.mapper, ":")
	for _, i := range nspi.Process[:others] {
		ends, err := client.Map(s.mapper, i.Syntax, client.Options{})
		if err != nil {
			t.Fatalf("%s: %v", i.Name, err)
		}
		c, err := client.Dial(fmt.Sprintf("%s:%d", host, ends[0].Port), as(rpcparse.LevelConnect))
		if err != nil {
			t.Fatalf("%s: %v", i.Name, err)
		}
		if _, err := c.NspiBind(); !client.IsCode(err, nspi.LogonFailed) {
			t.Errorf("a bind beyond the limit where %s is: %v", i.Name, err)
		}
		c.Close()
	}
	if n := s.dc.TotalSessions(); n != 1 {
		t.Errorf("the domain controller has %d sessions", n)
	}
}
