//go:build lab

package balancer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/internal/testkit/lab"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

// The fixed part of a PROXY header of version 2, up to its command.
const proxySignature = "\r\n\r\n\x00\r\nQUIT\n"

// headerOf is a PROXY header of version 1 or 2 for a client of 192.0.2.0/24, where nobody is.
func headerOf(version int, client string) string {
	if version == 1 {
		return fmt.Sprintf("PROXY TCP4 %s 10.77.4.2 50000 6004\r\n", client)
	}
	from, to := netip.MustParseAddr(client).As4(), netip.MustParseAddr("10.77.4.2").As4()
	body := slices.Concat(from[:], to[:], binary.BigEndian.AppendUint16(nil, 50000), binary.BigEndian.AppendUint16(nil, fixedPort))
	return proxySignature + "\x21\x11\x00\x0c" + string(body)
}

// headered connects a machine to a proxy's port of NSPI, and sends something first.
func headered(t *testing.T, on *lab.Machine, to netip.Addr, pieces ...string) *lab.Conn {
	t.Helper()
	conn, err := on.Dial(netip.AddrPortFrom(to, fixedPort).String(), netip.Addr{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	for _, piece := range pieces {
		if _, err := io.WriteString(conn, piece); err != nil {
			t.Fatal(err)
		}
	}
	return lab.NewConn(conn)
}

// expectEnd waits until the connection has ended, without a byte of an answer.
func expectEnd(t *testing.T, what string, c *lab.Conn) {
	t.Helper()
	_ = c.TCP.SetReadDeadline(time.Now().Add(lab.SettleTime))
	answer, err := io.ReadAll(c.TCP)
	c.Close()
	if len(answer) > 0 || errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, net.ErrClosed) {
		t.Errorf("%s: answered by %q, %v", what, answer, err)
	}
}

// TestProxyHeadersAreBelievedFromLoadBalancersOnly, and required from them.
func TestProxyHeadersAreBelievedFromLoadBalancersOnly(t *testing.T) {
	s := startBalanced(t, 2)
	var served []*lab.Conn
	closed := map[string]int{}
	expectClosed := func(cause string, n int) {
		t.Helper()
		closed[cause] += n
		lab.Eventually(t, lab.SettleTime, fmt.Sprintf("%d connections have ended because of %s", closed[cause], cause), func() bool {
			return int(s.proxy.Metrics(t).Sum("nspiproxy_connections_closed_total", `cause="`+cause+`"`)) == closed[cause]
		})
	}
	bind, err := lab.AppendBind(nil, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, to := range []netip.Addr{s.Router.Address, s.Router.Address6} {
		for version := 1; version <= 2; version++ {
			expectEnd(t, "a header from a client", headered(t, s.Clients[0], to, headerOf(version, "192.0.2.1")+string(bind)))
		}
		expectClosed("not_rpc", 2)
		served = append(served, headered(t, s.Clients[0], to)) // clients need none
		lab.OpenSession(t, served[len(served)-1])

		bad := []string{
			string(bind), "GET / HTTP/1.1\r\n\r\n", "\x00\x00\x00\x00", "PROXY\r\n", "PROXY TCP4 192.0.2.1\r\n",
			"PROXY TCP4 192.0.2.999 10.77.4.2 50000 6004\r\n", "PROXY TCP4 0.0.0.0 10.77.4.2 50000 6004\r\n",
			"PROXY TCP4 " + strings.Repeat("1", 200) + "\r\n", proxySignature + "\x11\x11\x00\x0c" + strings.Repeat("x", 12),
			proxySignature + "\x21\x11\xff\xff", proxySignature + "\x21\x11\x00\x04" + "1234", proxySignature + "\x21\x12\x00\x0c" + strings.Repeat("\x0a", 12),
		}
		for _, text := range bad {
			expectEnd(t, fmt.Sprintf("%.24q", text), headered(t, s.balancer, to, text))
		}
		cut := headered(t, s.balancer, to, "PROXY TCP4 192.0.2.1 ")
		_ = cut.TCP.CloseWrite()
		expectEnd(t, "half a header", cut)
		expectClosed("proxy_header", len(bad)+1)
	}
	if one, other := s.dcs[0].Count(t), s.dcs[1].Count(t); one.Binds+other.Binds != 2 {
		t.Errorf("the domain controllers have had %+v and %+v, want the two clients without a header", one, other)
	}
	s.checkHeld(t, 2)
	for _, c := range served {
		c.Close()
	}
	s.checkHeld(t, 0)
	reasons := 0
	for _, r := range s.proxy.Events("connection.closed") {
		if r["reason"] == "proxy_header" && strings.Contains(fmt.Sprint(r["client"]), "77:4::2") {
			reasons++
		}
	}
	if reasons == 0 {
		t.Error("the log does not say whose header is missing")
	}
}

// TestProxyHeadersMayComeInPieces: as slowly as the handshake may be, and with whatever behind them. What follows one is the
// client's own.
func TestProxyHeadersMayComeInPieces(t *testing.T) {
	s := startBalanced(t, 2)
	t.Run("clients", func(t *testing.T) { headersInPieces(t, s) })
	s.checkHeld(t, 0)
}

func headersInPieces(t *testing.T, s *balanced) {
	silent := map[string]*lab.Conn{}
	started := time.Now()
	for n, to := range []netip.Addr{s.Router.Address, s.Router.Address6} {
		for version := 1; version <= 2; version++ {
			s.headerInPieces(t, to, headerOf(version, fmt.Sprintf("192.0.2.%d", 10*n+version)))
		}
		for _, header := range []string{"PROXY UNKNOWN\r\n", "PROXY UNKNOWN 1 2 3 4\r\n", proxySignature + "\x20\x00\x00\x00"} {
			c := headered(t, s.balancer, to, header) // the load balancer itself
			lab.OpenSession(t, c)
			c.Close()
		}
		for _, begin := range []string{"", "P", "PROXY TCP4 192.0.2.1 ", proxySignature, headerOf(1, "192.0.2.9"), headerOf(2, "192.0.2.9")} {
			silent[fmt.Sprintf("%s: %q", to, begin)] = headered(t, s.balancer, to, begin)
		}
	}
	for what, c := range silent {
		expectEnd(t, "nothing after "+what, c)
	}
	if took := time.Since(started); took > 5*headerTime {
		t.Errorf("who says nothing was served for %s", took)
	}
	s.checkHeld(t, 2*2*2)
}

// headerInPieces opens what a client may have, with its header in one piece and byte by byte.
func (s *balanced) headerInPieces(t *testing.T, to netip.Addr, header string) {
	t.Helper()
	first := headered(t, s.balancer, to, strings.Split(header, "")...)
	lab.OpenSession(t, first)
	lab.OpenSession(t, headered(t, s.balancer, to, header))
	third := headered(t, s.balancer, to, header) // it is one client, whatever the connection
	if err := third.Bind(first.Group); err != nil {
		t.Errorf("joining: %v", err)
	}
	if _, code, err := third.NspiBind(); err != nil || code != nspi.LogonFailed {
		t.Errorf("a third session of a client: %s, %v", code, err)
	}
	expectEnd(t, "two headers", headered(t, s.balancer, to, header, header))
}
