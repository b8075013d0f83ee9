//go:build lab

package samba

import (
	"net"
	"strconv"
	"testing"

	"github.com/nspiproxy/nspiproxy/internal/testkit/lab"
	"github.com/nspiproxy/nspiproxy/proxy/client"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

// TestClientsOfASealedEndpointMapperAreLimited: a client that seals its calls to the endpoint mapper, as a security baseline of
// Windows demands, is the first that comes. The proxy cannot change the answer, and is on the port that it names.
func TestClientsOfASealedEndpointMapperAreLimited(t *testing.T) {
	const limit, front = 3, "127.0.20.84"
	samba := lab.StartSamba(t)
	proxy := lab.StartProxy(t, lab.ProxyOptions{Front: front, Samba: samba, Limit: limit})
	as := func(level rpcparse.AuthLevel) client.Options {
		return client.Options{Security: &client.Security{Level: level, Domain: lab.Domain, User: lab.Alice.Name, Password: lab.Alice.Password}}
	}
	ends, err := client.Map(net.JoinHostPort(front, "135"), nspi.Interface, as(rpcparse.LevelPrivacy))
	if err != nil || len(ends) == 0 {
		t.Fatalf("%v, %v", ends, err)
	}
	lab.Eventually(t, lab.SettleTime, "the log says that the answer was sealed", func() bool { return len(proxy.Events("endpoint.protected")) == 1 })
	address := net.JoinHostPort(front, strconv.Itoa(int(ends[0].Port)))
	granted := 0
	for range limit + 2 {
		c, err := client.Dial(address, as(rpcparse.LevelConnect))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		if _, err := c.NspiBind(); err == nil {
			granted++
		}
	}
	if granted != limit {
		t.Errorf("%d sessions, want %d", granted, limit)
	}
	lab.CheckSambaHeld(t, proxy, samba, limit)
}
