//go:build lab

package lab

import (
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/internal/testkit/lab/rawnspi"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

func TestKilledClientLeavesNoSession(t *testing.T) {
	dc := StartDC(t, DCOptions{Address: "127.0.10.41"})
	proxy := StartProxy(t, ProxyOptions{Front: "127.0.20.41", DC: dc, Limit: 10})
	client := StartImpacket(t)
	for _, w := range ways[2:5] { // NTLM at three levels
		expect(t, "connect", client.Connect(w.name, w.at(proxy.Front)))
		expect(t, "bind", client.Bind(w.name))
		expect(t, "bind", client.Bind(w.name))
	}
	checkHeld(t, proxy, dc, 6)
	client.Kill()
	checkNobodyLeft(t, proxy, dc)
}

func TestKilledDomainControllerLeavesNoSlot(t *testing.T) {
	options := DCOptions{Address: "127.0.10.42"}
	dc := StartDC(t, options)
	proxy := StartProxy(t, ProxyOptions{Front: "127.0.20.42", DC: dc, Limit: 2})
	client := StartImpacket(t)
	login := ways[2].at(proxy.Front)
	expect(t, "connect", client.Connect("a", login))
	handle := expect(t, "bind", client.Bind("a")).Handle
	expect(t, "bind", client.Bind("a"))
	dc.Kill()
	if a := client.Query("a", handle); a.Kind != KindClosed {
		t.Errorf("a call after the end of the domain controller: %+v, want %s", a, KindClosed)
	}
	Eventually(t, settle, "the proxy holds nothing", func() bool {
		m := proxy.Metrics(t)
		return m.Sum("nspiproxy_sessions_held") == 0 && m.Sum("nspiproxy_connections") == 0
	})
	dc = StartDC(t, options) // as after a restart: the same address, all sessions forgotten
	expect(t, "connect again", client.Connect("b", login))
	expect(t, "bind", client.Bind("b"))
	expect(t, "bind", client.Bind("b"))
	ways[2].refused(t, client.Bind("b"))
	checkHeld(t, proxy, dc, 2)
}

// TestResetInTheMiddleOfAPDU cuts a connection that has a session at every part of a further NspiBind.
func TestResetInTheMiddleOfAPDU(t *testing.T) {
	dc := StartDC(t, DCOptions{Address: "127.0.10.43", Anonymous: true})
	proxy := StartProxy(t, ProxyOptions{Front: "127.0.20.43", DC: dc, Limit: 200})
	request, err := rpcparse.AppendRequest(nil, rawnspi.RequestPDU(9, nspi.OpnumBind, rawnspi.BindStub()))
	if err != nil {
		t.Fatal(err)
	}
	for size := range len(request) + 1 {
		c := dial(t, proxy, 1)
		bindSession(t, c)
		if _, err := c.Conn.Write(request[:size]); err != nil {
			t.Fatal(err)
		}
		c.Reset()
	}
	checkNobodyLeft(t, proxy, dc)
	if n := proxy.Metrics(t).Sum("nspiproxy_sessions_opened_total"); int(n) < len(request)+1 {
		t.Errorf("%v sessions were opened, want at least %d", n, len(request)+1)
	}
}

// TestHalfCloseStillGetsItsAnswer: a client that has asked its last question may say so before the answer is there.
func TestHalfCloseStillGetsItsAnswer(t *testing.T) {
	dc := StartDC(t, DCOptions{Address: "127.0.10.44", Anonymous: true})
	proxy := StartProxy(t, ProxyOptions{Front: "127.0.20.44", DC: dc, Limit: 10})
	c := dial(t, proxy, 1)
	bindSession(t, c)
	request, err := rpcparse.AppendRequest(nil, rawnspi.RequestPDU(9, nspi.OpnumBind, rawnspi.BindStub()))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Conn.Write(request); err != nil {
		t.Fatal(err)
	}
	if err := c.Conn.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	_ = c.Conn.SetReadDeadline(time.Now().Add(settle))
	answer, err := io.ReadAll(c.Conn)
	if err != nil {
		t.Fatal(err)
	}
	if h, err := rpcparse.ParseHeader(answer); err != nil || h.Type != rpcparse.PTypeResponse || h.CallID != 9 {
		t.Errorf("answered by %v, %v", h, err)
	}
	checkNobodyLeft(t, proxy, dc)
}

// TestGarbageEndsTheConnectionAlone: what is not DCE/RPC is closed, as configured by default, and nobody else notices.
func TestGarbageEndsTheConnectionAlone(t *testing.T) {
	dc := StartDC(t, DCOptions{Address: "127.0.10.45", Anonymous: true})
	proxy := StartProxy(t, ProxyOptions{Front: "127.0.20.45", DC: dc, Limit: 10})
	good, bad := dial(t, proxy, 1), dial(t, proxy, 2)
	handle := bindSession(t, good)
	bindSession(t, bad)
	if _, err := bad.Conn.Write([]byte("GET / HTTP/1.1\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	_ = bad.Conn.SetReadDeadline(time.Now().Add(settle))
	if _, err := io.ReadAll(bad.Conn); errors.Is(err, net.ErrClosed) || (err != nil && !errors.Is(err, syscall.ECONNRESET)) {
		t.Errorf("the connection was not ended: %v", err)
	}
	checkHeld(t, proxy, dc, 1)
	if code, err := good.NspiUnbind(handle); err != nil || code != nspi.UnbindSuccess {
		t.Errorf("NspiUnbind on the other connection: %s, %v", code, err)
	}
	if n := proxy.Metrics(t).Sum("nspiproxy_protocol_errors_total"); n != 1 {
		t.Errorf("%v protocol errors are counted, want 1", n)
	}
}
