//go:build lab

package failover

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/internal/testkit/lab"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

const page = "deploy-failover.md"

// limit is how many sessions a client may have on a proxy. The domain controller has no room for more than all clients' together:
// what is left behind is missed at once.
const (
	limit   = 5
	clients = 4
)

// addresses are the page's and the lab's.
var addresses = []string{
	"10.0.5.11", "10.77.2.21", "fd00:5::11", "fd77:2::15", "10.0.5.0/24", "10.77.2.0/24", "fd00:5::/64", "fd77:2::/64",
	"10.0.1.1", "10.77.1.1", "10.0.5.1,", "10.77.2.1,", "fd00:1::1", "fd77:1::1", "fd00:5::1\"", "fd77:2::1\"",
}

// router is one of the two.
type router struct {
	*lab.Machine
	proxy      *lab.Proxy
	options    lab.ProxyOptions
	keepalived *lab.Process
	conf       string
}

// stage is two routers between clients and a domain controller.
type stage struct {
	*lab.Switched
	routers [2]*router
	dc      *lab.DC
}

// start sets everything up as the page has it, with changes of both configurations.
func start(t *testing.T, config, conf func(string) string) *stage {
	t.Helper()
	return startWithRoom(t, 0, config, conf)
}

// startWithRoom is start with a domain controller that has room for more sessions.
func startWithRoom(t *testing.T, more int, config, conf func(string) string) *stage {
	t.Helper()
	s := &stage{Switched: lab.StartSwitched(t, 1, 2, 2)}
	s.dc = lab.StartDC(t, lab.DCOptions{On: s.DCs[0], Anonymous: true, Limit: clients*limit + more, Deaf: true})
	for n, m := range s.Between {
		s.routers[n] = &router{Machine: m}
		s.routers[n].start(t, n, config, conf)
	}
	s.awaitMaster(t, 0)
	return s
}

// awaitMaster waits until a router, and not the other one, has the virtual addresses.
func (s *stage) awaitMaster(t *testing.T, n int) {
	t.Helper()
	lab.Eventually(t, lab.SettleTime, fmt.Sprintf("router %d has the addresses", n+1), func() bool {
		return s.routers[n].master(t) && !s.routers[1-n].master(t)
	})
}

func (r *router) start(t *testing.T, n int, config, conf func(string) string) {
	t.Helper()
	for _, setting := range []string{"net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"} {
		r.Run(t, "sysctl", "-qw", setting)
	}
	folder := lab.OrdinaryFolder(t)
	r.options = lab.ProxyOptions{On: r.Machine, OrdinaryUser: true, Folder: folder}
	r.options.Config = config(lab.Replaced(t, lab.PageBlocks(t, page, "yaml")[0], append(addresses,
		"when_down: open", "when_down: open\n  state_file: '"+filepath.Join(folder, "ports.json")+"'",
		"dry_run: true ", "dry_run: false ", "limit: 50", fmt.Sprint("limit: ", limit))...)) +
		"identity: {networks: {ipv6: 128}}\nhealth: {check: none}\nrelay: {connections_file: '" + filepath.Join(folder, "connections") + "'}\n"
	lab.WritePrivate(t, r.options.File(), []byte(r.options.Config))
	if said := lab.RunRules(t, r.Machine, "--config", r.options.File(), "--apply"); said != "" {
		t.Errorf("nspiproxy rules --apply says %s", said)
	}
	r.proxy = lab.StartProxy(t, r.options)
	r.conf = conf(lab.Replaced(t, lab.PageBlocks(t, page, "keepalived")[0],
		"10.0.1.1/24", "10.77.1.1/24", "10.0.5.1/24", "10.77.2.1/24", "fd00:1::1/64", "fd77:1::1/64", "fd00:5::1/64", "fd77:2::1/64",
		"priority 150", fmt.Sprint("priority ", 150-50*n), "    enable_script_security\n", "", // the lab's program is where others may write
		"/usr/local/bin/nspiproxy", lab.Program(t), "/etc/nspiproxy/nspiproxy.yaml", r.options.File()))
	r.begin(t)
}

func (r *router) begin(t *testing.T) { r.keepalived = lab.StartKeepalived(t, r.Machine, r.conf) }

// master reports whether a router has all virtual addresses.
func (r *router) master(t *testing.T) bool {
	has := r.Run(t, "ip", "-oneline", "address", "show")
	for _, a := range []string{"10.77.1.1/", "10.77.2.1/", "fd77:1::1/", "fd77:2::1/"} {
		if !strings.Contains(has, " "+a) {
			return false
		}
	}
	return true
}

// held is how many sessions a router's proxy counts.
func (r *router) held(t *testing.T) int {
	return int(r.proxy.Metrics(t).Sum("nspiproxy_sessions_held"))
}

// client is one with all sessions that it may have.
type client struct {
	*lab.Conn
	on   *lab.Machine
	to   netip.Addr
	from netip.Addr
}

// connect opens all sessions that each client may have, in both families, and one more, which is refused.
func (s *stage) connect(t *testing.T) (all []*client) {
	t.Helper()
	for _, m := range s.Clients {
		for _, f := range lab.Families {
			c := &client{on: m, to: f.Of(s.DCs[0]), from: f.Of(m)}
			c.fill(t)
			all = append(all, c)
		}
	}
	return all
}

// fill connects and opens the sessions.
func (c *client) fill(t *testing.T) {
	t.Helper()
	c.Conn = lab.DialFrom(t, c.on, c.to, c.from)
	for range limit {
		lab.OpenSession(t, c.Conn)
	}
	if _, code, err := c.NspiBind(); err != nil || code != nspi.LogonFailed {
		t.Errorf("a bind above the limit: %s, %v", code, err)
	}
}

// ended returns whether the connection has been reset or closed without a packet of the client.
func (c *client) ended() bool {
	_ = c.TCP.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	_, err := c.TCP.Read(make([]byte, 1))
	return err != nil && !errors.Is(err, os.ErrDeadlineExceeded)
}

// settled waits until the sessions are where they should be: on the domain controller, and on each router's proxy.
func (s *stage) settled(t *testing.T, dc, first, second int) {
	t.Helper()
	var got [3]int
	begin := time.Now()
	defer func() {
		t.Logf("sessions on the domain controller and both proxies: %v, after %v", got, time.Since(begin).Round(10*time.Millisecond))
	}()
	lab.Eventually(t, lab.SettleTime, fmt.Sprint("sessions are ", [3]int{dc, first, second}), func() bool {
		got = [3]int{s.dc.Count(t).Sessions, s.routers[0].held(t), s.routers[1].held(t)}
		return got == [3]int{dc, first, second}
	})
}
