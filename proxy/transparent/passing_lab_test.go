//go:build lab

package transparent

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// direct makes a connection past a proxy that does not run.
func direct(t *testing.T, n *network, address string) *conn {
	t.Helper()
	c := n.client.connect(t, address)
	if err := c.echo(10); err != nil || !c.own() {
		t.Fatalf("error %v, the server sees %s, the client is %s", err, c.seen, c.LocalAddr())
	}
	return c
}

// TestClientThatWaitsForTheRestOfAnAnswerIsReset when it is no connection that may pass by: the client has nothing to send, so
// the domain controller's end alone would leave it waiting.
func TestClientThatWaitsForTheRestOfAnAnswerIsReset(t *testing.T) {
	for _, address := range []string{dcIPv4, dcIPv6} {
		for _, whenDown := range []string{"open", "closed"} {
			t.Run(address+" "+whenDown, func(t *testing.T) {
				n := newNetwork(t)
				dc := n.server.serve(t, net.JoinHostPort(address, "135"))
				c := direct(t, n, net.JoinHostPort(address, "135"))
				go dc.flood(c.seen)
				_ = c.SetDeadline(time.Now().Add(patience))
				if _, err := io.CopyN(io.Discard, c.r, 1<<20); err != nil {
					t.Fatal(err)
				}
				apply(t, tproxy(t, whenDown), "")
				if size, err := io.Copy(io.Discard, c.r); !isReset(err) {
					t.Errorf("after %d bytes: error %v, want a reset", size, err)
				}
				_ = dc.end(t)
			})
		}
	}
}

// TestForgedResetsEndNoDirectConnection, nor their being known.
func TestForgedResetsEndNoDirectConnection(t *testing.T) {
	n := newNetwork(t)
	n.server.serve(t, address)
	apply(t, tproxy(t, "open"), "")
	c := direct(t, n, address)
	startTPROXY(t)
	client, server := c.ends()
	for i := range uint32(20) {
		n.client.inject(t, segment{from: client, to: server, seq: i << 27, flags: flagRST})
		n.server.inject(t, segment{from: server, to: client, seq: i << 27, flags: flagRST})
	}
	sh(t, "nft flush set inet nspiproxy ending4") // minutes pass
	if err := c.echo(10); err != nil || passing(t) != 1 {
		t.Errorf("error %v, %d pass by", err, passing(t))
	}
	if err := c.echo(10); err != nil {
		t.Error(err)
	}
}

func TestForgedSYNEndsNoDirectConnection(t *testing.T) {
	for _, running := range []bool{false, true} {
		t.Run(fmt.Sprintf("running %v", running), func(t *testing.T) {
			n := newNetwork(t)
			n.server.serve(t, address)
			apply(t, tproxy(t, "open"), "")
			c := direct(t, n, address)
			if running {
				startTPROXY(t)
			}
			client, server := c.ends()
			n.client.inject(t, segment{from: client, to: server, seq: 1, flags: flagSYN})
			if left := leftOf(t); left < 23*time.Hour {
				t.Errorf("it is forgotten in %v", left)
			}
			if err := c.echo(10); err != nil {
				t.Error(err)
			}
		})
	}
}

// leftOf is how long the one connection that passes by is known.
func leftOf(t *testing.T) time.Duration {
	t.Helper()
	all, err := readDirect()
	if err != nil || len(all) != 1 {
		t.Fatalf("%v, error %v", all, err)
	}
	return all[0].left
}

// TestHalfClosedConnectionPassesByUntilTheServerEnds: the server still has its sessions.
func TestHalfClosedConnectionPassesByUntilTheServerEnds(t *testing.T) {
	n := newNetwork(t)
	dc := n.server.serve(t, address)
	dc.mayEnd = make(chan struct{})
	apply(t, tproxy(t, "open"), "")
	c := direct(t, n, address)
	startTPROXY(t)
	if err := c.Conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(50 * time.Millisecond)
	if n := passing(t); n != 1 {
		t.Errorf("%d pass by", n)
	}
	sh(t, "nft flush set inet nspiproxy ending4")
	dc.mu.Lock()
	server := dc.conns[c.seen]
	dc.mu.Unlock()
	for range 3 {
		if _, err := server.Write([]byte("more")); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(c.r, make([]byte, 4)); err != nil {
			t.Fatal(err)
		}
	}
	close(dc.mayEnd)
	if _, err := c.r.ReadByte(); err != io.EOF {
		t.Errorf("error %v, want the end", err)
	}
	eventually(t, "no connection passes by", func() bool { return passing(t) == 0 })
}

// TestClientsComeBackFromTheSamePort when the proxy is killed, and when it is back.
func TestClientsComeBackFromTheSamePort(t *testing.T) {
	for _, mode := range []string{"tproxy", "redirect"} {
		for _, address := range []string{dcIPv4, dcIPv6} {
			t.Run(mode+" "+address, func(t *testing.T) {
				n := newNetwork(t)
				n.server.serve(t, net.JoinHostPort(address, "135"))
				p, start := tproxy(t, "open"), startTPROXY
				if mode == "redirect" {
					p, start = redirect(t, "open"), startREDIRECT
				}
				apply(t, p, "")
				proxy := start(t)
				local := netip.AddrPortFrom(netip.MustParseAddr(n.ipv4), 40000)
				if address == dcIPv6 {
					local = netip.AddrPortFrom(netip.MustParseAddr(n.ipv6), 40000)
				}
				again := func(what string, own bool) *conn {
					t.Helper()
					begin := time.Now()
					c, err := n.client.dialFrom(t, local, net.JoinHostPort(address, "135"))
					if err == nil {
						err = c.echo(10)
					}
					if err != nil || own && !c.own() {
						t.Fatalf("%s: error %v, after %v", what, err, time.Since(begin))
					}
					return c
				}
				c := again("at first", mode == "tproxy")
				proxy.kill()
				_, _ = io.Copy(io.Discard, c.r)
				c.reset()
				if _, err := OnStop(); err != nil {
					t.Fatal(err)
				}
				c = again("when the proxy has ended", true)
				c.reset()
				c = again("once more", true)
				apply(t, p, "")
				start(t)
				if err := c.echo(10); err != nil {
					t.Errorf("the direct one: %v", err)
				}
				c.reset()
				again("when it is back", false)
				eventually(t, "no connection passes by", func() bool { return passing(t) == 0 })
			})
		}
	}
}

// reset ends a connection so that its port is free.
func (c *conn) reset() {
	_ = c.Conn.(*net.TCPConn).SetLinger(0)
	c.Close()
}

// dialFrom connects from a given port.
func (n namespace) dialFrom(t testing.TB, local netip.AddrPort, address string) (c *conn, err error) {
	t.Helper()
	err = n.Do(func() error {
		d := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(local), Timeout: patience, Control: transparentSocket}
		tcp, err := d.Dial("tcp", address)
		if err != nil {
			return err
		}
		c, err = greet(t, tcp)
		return err
	})
	return c, err
}

// TestEndIsSeenOnPortsThatAreForgotten: a domain controller has another port, or the configuration has fewer.
func TestEndIsSeenOnPortsThatAreForgotten(t *testing.T) {
	n := newNetwork(t)
	n.server.serve(t, dcIPv4+":49677")
	p := tproxy(t, "open")
	apply(t, p, dcIPv4+":49677")
	c := direct(t, n, dcIPv4+":49677")
	apply(t, p, "")
	if err := c.echo(10); err != nil || passing(t) != 1 {
		t.Errorf("error %v, %d pass by", err, passing(t))
	}
	c.Close()
	eventually(t, "no connection passes by", func() bool { return passing(t) == 0 })
	c = n.client.connect(t, dcIPv4+":49677")
	if err := c.echo(10); err != nil || passing(t) != 0 {
		t.Errorf("a port that is none of ours: error %v, %d pass by", err, passing(t))
	}
}

// TestNothingGetsPastAProxyThatRuns by a packet before its SYN, which connection tracking takes for a connection that is
// not to be redirected.
func TestNothingGetsPastAProxyThatRuns(t *testing.T) {
	for _, whenDown := range []string{"open", "closed"} {
		for mode, flags := range map[string]byte{"ACK": flagACK, "FIN": flagFIN | flagACK, "SYN FIN": flagSYN | flagFIN, "SYN ACK": flagSYN | flagACK, "nothing": 0} {
			t.Run(whenDown+" "+mode, func(t *testing.T) {
				n := newNetwork(t)
				n.server.serve(t, address)
				apply(t, redirect(t, whenDown), "")
				startREDIRECT(t)
				local := netip.AddrPortFrom(netip.MustParseAddr(n.ipv4), 40001)
				// What the server answers does not reach this machine at first.
				n.server.sh(t, "nft 'table ip quiet { chain out { type filter hook output priority 0; tcp flags rst drop; }; }'")
				n.client.inject(t, segment{from: local, to: netip.MustParseAddrPort(address), seq: 1000, ack: 77, flags: flags})
				time.Sleep(50 * time.Millisecond)
				c, err := n.client.dialFrom(t, local, address)
				if err == nil && c.own() {
					t.Error("it is past the proxy")
				}
				if err != nil && !errors.Is(err, unix.ECONNREFUSED) {
					t.Errorf("error %v", err)
				}
				if c := n.client.connect(t, address); c.own() {
					t.Error("the next one is past the proxy")
				}
				if n := passing(t); n != 0 {
					t.Errorf("%d pass by", n)
				}
			})
		}
	}
}

// TestRulesAreAppliedAgainWithoutLoss of connections that are made meanwhile.
func TestRulesAreAppliedAgainWithoutLoss(t *testing.T) {
	n := newNetwork(t)
	n.server.serve(t, address)
	p := tproxy(t, "open")
	apply(t, p, "")
	end := make(chan struct{})
	var conns []*conn
	made := make(chan error, 1)
	go func() {
		for {
			select {
			case <-end:
				made <- nil
				return
			default:
			}
			c, err := n.client.dial(t, address)
			if err != nil {
				made <- err
				return
			}
			conns = append(conns, c)
			time.Sleep(time.Millisecond)
		}
	}()
	for range 10 {
		if _, err := OnStop(); err != nil {
			t.Fatal(err)
		}
		apply(t, p, dcIPv4+":49677")
	}
	close(end)
	if err := <-made; err != nil {
		t.Fatal(err)
	}
	if n := passing(t); n != len(conns) {
		t.Errorf("%d of %d are known", n, len(conns))
	}
	for _, c := range conns {
		if err := c.echo(1); err != nil {
			t.Fatal(err)
		}
	}
}

// TestManyConnectionsThatPassByAreKept when the rules of another configuration are applied that has their server.
func TestManyConnectionsThatPassByAreKept(t *testing.T) {
	clean(t)
	apply(t, tproxy(t, "open"), "")
	const many = maxDirect
	var text strings.Builder
	text.WriteString("add element inet nspiproxy direct4 {\n")
	for i := range many {
		fmt.Fprintf(&text, "10.76.%d.%d . %d . 10.77.2.2 . 135 expires 3000s,\n", i>>8&0xff, i&0xff, 1024+i>>16)
	}
	text.WriteString("}\n")
	if _, err := run(text.String(), "nft", "-f", "-"); err != nil {
		t.Fatal(err)
	}
	if n, err := Passing(); n != many || err != nil {
		t.Errorf("%d pass by, error %v", n, err)
	}
	for _, p := range []*Plan{redirect(t, "open"), redirect(t, "open")} {
		apply(t, p, "")
		if n := passing(t); n != many {
			t.Errorf("%d pass by", n)
		}
	}
	apply(t, plan(t, `{name: path, mode: tproxy, port: 5135, destinations: [10.9.0.0/16]}`, ""), "")
	if n := passing(t); n != 0 {
		t.Errorf("%d pass by to what is no destination", n)
	}
}
