//go:build lab

package failover

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/internal/testkit/lab"
)

// quietTime is longer than an acknowledgement waits: with one under way, the domain controller repeats what it has sent, by the
// other router, and is reset for that.
const quietTime = time.Second

// asWritten changes nothing.
func asWritten(text string) string { return text }

// quick has keepalived notice the loss of a router in a third of a second.
func quick(conf string) string {
	return strings.ReplaceAll(conf, "advert_int 1", "advert_int 0.1")
}

// TestFailoverPageWorksAsWritten: when the routers change places, in either direction, all clients are reset at once, the
// domain controller and both proxies hold nothing that is dead, and every client gets all of its sessions again.
func TestFailoverPageWorksAsWritten(t *testing.T) {
	lab.CheckConfig(t, lab.PageBlocks(t, page, "yaml")[0])
	s := start(t, asWritten, asWritten)
	all := s.connect(t)
	n := len(all) * limit
	s.settled(t, n, n, 0)

	begin := time.Now()
	s.routers[0].keepalived.Terminate()
	s.takenOver(t, 1, all, begin)
	s.settled(t, 0, 0, 0)
	refill(t, all)
	s.settled(t, n, 0, n)

	begin = time.Now()
	s.routers[0].begin(t)
	s.takenOver(t, 0, all, begin)
	s.settled(t, 0, 0, 0)
	refill(t, all)
	s.settled(t, n, n, 0)
}

// takenOver waits until all clients are reset, though they send nothing, and the other router has the addresses.
func (s *stage) takenOver(t *testing.T, by int, all []*client, begin time.Time) {
	t.Helper()
	for _, c := range all {
		lab.Eventually(t, lab.SettleTime, "a client is reset", c.ended)
	}
	t.Logf("clients are reset after %v", time.Since(begin).Round(10*time.Millisecond))
	s.awaitMaster(t, by)
	t.Logf("router %d has taken over after %v", by+1, time.Since(begin).Round(10*time.Millisecond))
}

// refill has all clients come again for all sessions that they may have.
func refill(t *testing.T, all []*client) {
	t.Helper()
	for _, c := range all {
		c.fill(t)
	}
}

// TestFailoverIsToldByTheHook alone, where the configuration names no addresses.
func TestFailoverIsToldByTheHook(t *testing.T) {
	s := start(t, func(config string) string {
		lines := strings.Split(config, "\n")
		for n, line := range lines {
			if strings.Contains(line, "virtual_addresses:") {
				lines[n] = ""
			}
		}
		return strings.Join(lines, "\n")
	}, quick)
	all := s.connect(t)
	n := len(all) * limit
	s.settled(t, n, n, 0)
	s.Cut(t, s.Between[0], "eth0") // clients do not reach it, and it does not reach them
	s.awaitMaster(t, 1)
	s.settled(t, 0, 0, 0)
	refill(t, all) // each first connection is reset
	s.settled(t, n, 0, n)
}

// withoutHook takes the notify lines from keepalived's configuration.
func withoutHook(conf string) string {
	var kept []string
	for line := range strings.Lines(quick(conf)) {
		if !strings.Contains(line, "notify_") {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}

// manyIdle is how many more connections there are: more resets than wait for the domain controller's Ethernet address.
// They come from an address without a limit.
const (
	manyIdle    = 500
	manyAddress = "10.77.1.100"
)

// connectMany opens connections with a session each, which stay idle, and returns how many.
func (s *stage) connectMany(t *testing.T, n int) int {
	t.Helper()
	s.Clients[1].Run(t, "ip", "address", "add", manyAddress+"/24", "dev", "eth0")
	port, err := s.Clients[1].MapPort(s.dc.Address)
	if err != nil {
		t.Fatal(err)
	}
	for range n {
		tcp, err := s.Clients[1].Dial(netip.AddrPortFrom(s.DCs[0].Address, port).String(), netip.MustParseAddr(manyAddress))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { tcp.Close() })
		lab.OpenSession(t, lab.NewConn(tcp))
	}
	return n
}

// TestFailoverWithACutCableIsMadeUpFor: the router that lost the path reaches no domain controller. Clients that send are
// reset by way of the other router; what others have left is ended as soon as the cable is mended.
func TestFailoverWithACutCableIsMadeUpFor(t *testing.T) {
	s := startWithRoom(t, manyIdle, func(config string) string {
		return strings.Replace(config, "  default:", "  rules: [{name: many, match: {clients: ["+manyAddress+"]}, limit: unlimited}]\n  default:", 1)
	}, withoutHook)
	all := s.connect(t)
	n := len(all) * limit
	many := s.connectMany(t, manyIdle)
	s.settled(t, n+many, n+many, 0)
	time.Sleep(quietTime)
	s.Cut(t, s.Between[0], "eth0", "eth1")
	s.awaitMaster(t, 1)
	for _, c := range all[:clients/2] {
		if _, _, err := c.NspiBind(); err == nil {
			t.Error("a connection has moved to another router")
		}
	}
	s.settled(t, n/2+many, n+many, 0)
	refill(t, all[:clients/2])
	s.settled(t, n+many, n+many, n/2)
	s.routers[0].keepalived.Stop(t, lab.StopTime)
	s.Mend(t, s.Between[0], "eth0", "eth1")
	s.settled(t, n/2, 0, n/2)
	refill(t, all[clients/2:])
	s.settled(t, n, 0, n)
}

// TestFailoverFromACrashedRouter: it ends what it has left when it is back, also if the other router stays in the path.
func TestFailoverFromACrashedRouter(t *testing.T) {
	s := start(t, asWritten, withoutHook)
	all := s.connect(t)
	n := len(all) * limit
	crashed := s.routers[0]
	time.Sleep(quietTime)
	crashed.Run(t, "sh", "-ec", "sysctl -qw net.ipv4.tcp_orphan_retries=1; nft add table inet lost; "+
		"nft add chain inet lost out '{ type filter hook output priority -400; oifname != lo drop; }'")
	s.Cut(t, crashed.Machine, "eth1", "eth0")
	crashed.proxy.Kill()
	crashed.keepalived.Kill()
	for _, device := range []string{"eth0", "eth1"} {
		crashed.Run(t, "sh", "-ec", "for a in 10.77.1.1/24 10.77.2.1/24 fd77:1::1/64 fd77:2::1/64; do ip address delete $a dev "+device+" 2>/dev/null || :; done")
	}
	s.awaitMaster(t, 1)
	lab.Eventually(t, lab.SilenceTime, "the crashed machine knows of no connection", func() bool {
		return strings.TrimSpace(crashed.Run(t, "ss", "-Htn", "state", "connected", "exclude", "time-wait")) == ""
	})
	if got := s.dc.Count(t).Sessions; got != n {
		t.Errorf("the domain controller has %d sessions, want %d", got, n)
	}
	crashed.Run(t, "nft", "delete", "table", "inet", "lost")
	s.Mend(t, crashed.Machine, "eth0", "eth1")
	crashed.proxy = lab.StartProxy(t, crashed.options)
	s.settled(t, 0, 0, 0)
	refill(t, all)
	s.settled(t, n, 0, n)
}
