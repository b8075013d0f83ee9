//go:build lab

package transparent

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestWhatClientsSeeIsAsInTheTable goes through the table of doc.go, on routers
// with and without connection tracking.
func TestWhatClientsSeeIsAsInTheTable(t *testing.T) {
	for _, mode := range []string{"tproxy", "redirect"} {
		for _, whenDown := range []string{"open", "closed"} {
			for _, address := range []string{dcIPv4, dcIPv6} {
				address := net.JoinHostPort(address, "135")
				t.Run(mode+" "+whenDown+" "+address, func(t *testing.T) { down(t, mode, whenDown, address) })
				t.Run(mode+" "+whenDown+" "+address+" firewall", func(t *testing.T) {
					clean(t)
					sh(t, firewall)
					t.Cleanup(func() { sh(t, "nft delete table inet firewall") })
					down(t, mode, whenDown, address)
				})
				t.Run(mode+" "+whenDown+" "+address+" strict firewall", func(t *testing.T) {
					clean(t)
					p := tproxy(t, whenDown)
					if mode == "redirect" {
						p = redirect(t, whenDown)
					}
					sh(t, strictFirewall(p))
					t.Cleanup(func() { sh(t, "nft delete table inet firewall") })
					down(t, mode, whenDown, address)
				})
			}
		}
	}
}

func down(t *testing.T, mode, whenDown, address string) {
	n := newNetwork(t)
	dc := n.server.serve(t, address)
	p, start := tproxy(t, whenDown), startTPROXY
	if mode == "redirect" {
		p, start = redirect(t, whenDown), startREDIRECT
	}
	passesBy := func(what string, c *conn) {
		t.Helper()
		if err := c.echo(10); err != nil || !c.own() {
			t.Errorf("%s: error %v, the server sees %s, the client is %s", what, err, c.seen, c.LocalAddr())
		}
	}
	isOver := func(what string, c *conn) {
		t.Helper()
		if err := c.echo(10); !isReset(err) {
			t.Errorf("%s: error %v, want a reset", what, err)
		}
		if err := dc.end(t); !isReset(err) {
			t.Errorf("%s: at the server: error %v, want a reset", what, err)
		}
	}
	refused := func(what string) {
		t.Helper()
		if c, err := n.client.dial(t, address); !errors.Is(err, unix.ECONNREFUSED) {
			t.Errorf("%s: connection %v, error %v, want refused", what, c, err)
		}
	}

	early := n.client.connect(t, address)
	passesBy("before the rules", early)

	apply(t, p, "")
	proxy := start(t)
	isOver("a connection from before the rules", early)
	c := n.client.connect(t, address)
	if err := c.echo(1 << 20); err != nil || c.own() != (mode == "tproxy") {
		t.Errorf("through the proxy: error %v, the server sees %s, the client is %s", err, c.seen, c.LocalAddr())
	}

	proxy.kill()
	if err := c.echo(10); err == nil {
		t.Error("a connection outlives the proxy")
	}
	_ = dc.end(t)
	var direct []*conn
	if mode == "tproxy" && whenDown == "open" {
		direct = append(direct, n.client.connect(t, address))
		passesBy("without the proxy", direct[0])
	} else {
		refused("without the proxy")
	}

	if opened, err := OnStop(); err != nil || opened != (whenDown == "open") {
		t.Errorf("on stop: opened %v, error %v", opened, err)
	}
	if whenDown == "open" {
		direct = append(direct, n.client.connect(t, address))
		passesBy("when the proxy has stopped", direct[len(direct)-1])
		if n := passing(t); n != len(direct) {
			t.Errorf("%d connections are known to pass by, want %d", n, len(direct))
		}
	} else {
		refused("when the proxy has stopped")
	}

	apply(t, p, "")
	start(t)
	for _, d := range direct {
		passesBy("a connection that was made meanwhile", d)
		d.Close()
		if err := dc.end(t); err != nil {
			t.Errorf("its end at the server: %v", err)
		}
	}
	eventually(t, "no connection passes by", func() bool { return passing(t) == 0 })
	if err := n.client.connect(t, address).echo(10); err != nil {
		t.Errorf("when the proxy is back: %v", err)
	}
}

// passing is how many connections are known to pass by.
func passing(t *testing.T) int {
	t.Helper()
	all, err := readDirect()
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

// TestBothSidesAreResetWhenTheProxyHasVanished, as with its machine: neither side has
// heard of it, and the numbers of their bytes are not the same. Another proxy may
// serve by then, on this router or on one that takes over.
func TestBothSidesAreResetWhenTheProxyHasVanished(t *testing.T) {
	for _, whenDown := range []string{"open", "closed"} {
		for _, address := range []string{dcIPv4, dcIPv6} {
			for _, back := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s %s back %v", whenDown, address, back), func(t *testing.T) {
					n := newNetwork(t)
					dc := n.server.serve(t, net.JoinHostPort(address, "135"))
					apply(t, tproxy(t, whenDown), "")
					proxy := startTPROXY(t)
					c := n.client.connect(t, net.JoinHostPort(address, "135"))
					if err := c.echo(10); err != nil {
						t.Fatal(err)
					}
					proxy.vanish(t)
					if back {
						startTPROXY(t)
					}
					if err := c.echo(10); !isReset(err) {
						t.Errorf("error %v, want a reset", err)
					}
					if err := dc.end(t); !isReset(err) {
						t.Errorf("at the server: error %v, want a reset", err)
					}
				})
			}
		}
	}
}

func TestConnectionsLiveWhileTheProxyWaitsForTheirEnd(t *testing.T) {
	for _, tt := range []struct{ mode, whenDown, then string }{
		{"tproxy", "open", "direct"}, {"tproxy", "closed", "refused"}, {"redirect", "open", "refused"}, {"redirect", "closed", "refused"},
	} {
		t.Run(tt.mode+" "+tt.whenDown, func(t *testing.T) {
			n := newNetwork(t)
			n.server.serve(t, address)
			p, start := tproxy(t, tt.whenDown), startTPROXY
			if tt.mode == "redirect" {
				p, start = redirect(t, tt.whenDown), startREDIRECT
			}
			apply(t, p, "")
			proxy := start(t)
			c := n.client.connect(t, address)
			for _, l := range proxy.listeners {
				l.Close()
			}
			if err := c.echo(1 << 20); err != nil {
				t.Errorf("the connection that the proxy has: %v", err)
			}
			then, err := n.client.dial(t, address)
			switch {
			case tt.then == "refused" && !errors.Is(err, unix.ECONNREFUSED):
				t.Errorf("a new one: error %v, want refused", err)
			case tt.then == "direct" && (err != nil || then.echo(10) != nil || !then.own()):
				t.Errorf("a new one: error %v, want none", err)
			}
		})
	}
}

// TestAnswerUnderWayIsOverSoonWhenTheProxyIsKilledAndStopped: the client waits
// for the rest of an answer that is in a socket of the dead proxy. It says nothing
// by itself, so that nobody else can tell it.
func TestAnswerUnderWayIsOverSoonWhenTheProxyIsKilledAndStopped(t *testing.T) {
	for _, mode := range []string{"tproxy", "redirect"} {
		for _, address := range []string{dcIPv4, dcIPv6} {
			t.Run(mode+" "+address, func(t *testing.T) {
				n := newNetwork(t)
				dc := n.server.serve(t, net.JoinHostPort(address, "135"))
				p, start := tproxy(t, "open"), startTPROXY
				if mode == "redirect" {
					p, start = redirect(t, "open"), startREDIRECT
				}
				apply(t, p, "")
				proxy := start(t)
				c := n.client.connect(t, net.JoinHostPort(address, "135"))
				go dc.flood(c.seen)
				eventually(t, "the proxy's socket is full", func() bool { return full(sh(t, "ss -Htn state established sport = 135 or sport = 5136")) })
				proxy.kill()
				if opened, err := OnStop(); !opened || err != nil {
					t.Fatalf("on stop: opened %v, error %v", opened, err)
				}
				_ = c.SetDeadline(time.Now().Add(patience))
				if size, err := io.Copy(io.Discard, c.r); err != nil && !isReset(err) {
					t.Errorf("after %d bytes: %v", size, err)
				}
			})
		}
	}
}

// full reports whether a socket in the listing of ss has so much to send that it
// does not all fit into the other end's receive buffer.
func full(sockets string) bool {
	for _, line := range strings.Split(sockets, "\n") {
		if words := strings.Fields(line); len(words) > 1 && len(words[1]) >= 6 {
			return true
		}
	}
	return false
}

// TestMarksOfOthersAreLeftAlone: a router has more programs that mark packets, each with bits of its own.
func TestMarksOfOthersAreLeftAlone(t *testing.T) {
	const others = `
nft -f - <<'N'
table inet others {
	chain early { type filter hook prerouting priority -350; meta mark set 0x100000; }
	chain late { type filter hook prerouting priority -90; meta mark set meta mark | 0x200000; }
	chain count { type filter hook input priority 0; tcp dport 135 meta mark & 0x300000 == 0x300000 counter accept; tcp dport 135 drop; }
}
N`
	for _, address := range []string{dcIPv4, dcIPv6} {
		t.Run(address, func(t *testing.T) {
			n := newNetwork(t)
			sh(t, others)
			t.Cleanup(func() { sh(t, "nft delete table inet others") })
			n.server.serve(t, net.JoinHostPort(address, "135"))
			apply(t, tproxy(t, "open"), "")
			startTPROXY(t)
			if err := n.client.connect(t, net.JoinHostPort(address, "135")).echo(1 << 16); err != nil {
				t.Error(err)
			}
		})
	}
}
