//go:build lab

package failure

import (
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/internal/testkit/lab"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

func TestKilledClientLeavesNoSession(t *testing.T) {
	dc := lab.StartDC(t, lab.DCOptions{Address: "127.0.10.41"})
	proxy := lab.StartProxy(t, lab.ProxyOptions{Front: "127.0.20.41", DC: dc, Limit: 10})
	client := lab.StartImpacket(t)
	for _, w := range []lab.Variant{lab.NTLMConnect, lab.NTLMIntegrity, lab.NTLMPrivacy} {
		lab.Expect(t, "connect", client.Connect(w.Name, w.At(proxy.Front)))
		lab.Expect(t, "bind", client.Bind(w.Name))
		lab.Expect(t, "bind", client.Bind(w.Name))
	}
	lab.CheckHeld(t, proxy, dc, 6)
	client.Kill()
	lab.CheckNobodyLeft(t, proxy, dc)
}

func TestKilledDomainControllerLeavesNoSlot(t *testing.T) {
	options := lab.DCOptions{Address: "127.0.10.42"}
	dc := lab.StartDC(t, options)
	proxy := lab.StartProxy(t, lab.ProxyOptions{Front: "127.0.20.42", DC: dc, Limit: 2})
	client := lab.StartImpacket(t)
	login := lab.NTLMConnect.At(proxy.Front)
	lab.Expect(t, "connect", client.Connect("a", login))
	handle := lab.Expect(t, "bind", client.Bind("a")).Handle
	lab.Expect(t, "bind", client.Bind("a"))
	dc.Kill()
	if a := client.Query("a", handle); a.Kind != lab.KindClosed {
		t.Errorf("a call after the end of the domain controller: %+v, want %s", a, lab.KindClosed)
	}
	lab.Eventually(t, lab.SettleTime, "the proxy holds nothing", func() bool {
		m := proxy.Metrics(t)
		return m.Sum("nspiproxy_sessions_held") == 0 && m.Sum("nspiproxy_connections") == 0
	})
	dc = lab.StartDC(t, options) // as after a restart: the same address, all sessions forgotten
	lab.Expect(t, "connect again", client.Connect("b", login))
	lab.Expect(t, "bind", client.Bind("b"))
	lab.Expect(t, "bind", client.Bind("b"))
	lab.NTLMConnect.CheckRefused(t, client.Bind("b"))
	lab.CheckHeld(t, proxy, dc, 2)
}

// TestResetInTheMiddleOfAPDU cuts a connection that has a session at every part of a further NspiBind.
func TestResetInTheMiddleOfAPDU(t *testing.T) {
	dc := lab.StartDC(t, lab.DCOptions{Address: "127.0.10.43", Anonymous: true})
	proxy := lab.StartProxy(t, lab.ProxyOptions{Front: "127.0.20.43", DC: dc, Limit: 200})
	request, err := lab.AppendNspiBind(nil, 9)
	if err != nil {
		t.Fatal(err)
	}
	for size := range len(request) + 1 {
		c := lab.DialProxy(t, proxy, 1)
		lab.OpenSession(t, c)
		if _, err := c.TCP.Write(request[:size]); err != nil {
			t.Fatal(err)
		}
		c.Reset()
	}
	lab.CheckNobodyLeft(t, proxy, dc)
	if n := proxy.Metrics(t).Sum("nspiproxy_sessions_opened_total"); int(n) < len(request)+1 {
		t.Errorf("%v sessions were opened, want at least %d", n, len(request)+1)
	}
}

// TestHalfCloseStillGetsItsAnswer: a client that has asked its last question may say so before the answer is there.
func TestHalfCloseStillGetsItsAnswer(t *testing.T) {
	dc := lab.StartDC(t, lab.DCOptions{Address: "127.0.10.44", Anonymous: true})
	proxy := lab.StartProxy(t, lab.ProxyOptions{Front: "127.0.20.44", DC: dc, Limit: 10})
	c := lab.DialProxy(t, proxy, 1)
	lab.OpenSession(t, c)
	request, err := lab.AppendNspiBind(nil, 9)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.TCP.Write(request); err != nil {
		t.Fatal(err)
	}
	if err := c.TCP.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	_ = c.TCP.SetReadDeadline(time.Now().Add(lab.SettleTime))
	answer, err := io.ReadAll(c.TCP)
	if err != nil {
		t.Fatal(err)
	}
	if h, err := rpcparse.ParseHeader(answer); err != nil || h.Type != rpcparse.PTypeResponse || h.CallID != 9 {
		t.Errorf("answered by %v, %v", h, err)
	}
	lab.CheckNobodyLeft(t, proxy, dc)
}

// TestGarbageEndsTheConnectionAlone: what is not DCE/RPC is closed, as configured by default, and no other connection is affected.
func TestGarbageEndsTheConnectionAlone(t *testing.T) {
	dc := lab.StartDC(t, lab.DCOptions{Address: "127.0.10.45", Anonymous: true})
	proxy := lab.StartProxy(t, lab.ProxyOptions{Front: "127.0.20.45", DC: dc, Limit: 10})
	good, bad := lab.DialProxy(t, proxy, 1), lab.DialProxy(t, proxy, 2)
	handle := lab.OpenSession(t, good)
	lab.OpenSession(t, bad)
	if _, err := bad.TCP.Write([]byte("GET / HTTP/1.1\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	_ = bad.TCP.SetReadDeadline(time.Now().Add(lab.SettleTime))
	if _, err := io.ReadAll(bad.TCP); errors.Is(err, net.ErrClosed) || (err != nil && !errors.Is(err, syscall.ECONNRESET)) {
		t.Errorf("the connection was not ended: %v", err)
	}
	lab.CheckHeld(t, proxy, dc, 1)
	if code, err := good.NspiUnbind(handle); err != nil || code != nspi.UnbindSuccess {
		t.Errorf("NspiUnbind on the other connection: %s, %v", code, err)
	}
	if n := proxy.Metrics(t).Sum("nspiproxy_protocol_errors_total"); n != 1 {
		t.Errorf("%v protocol errors are counted, want 1", n)
	}
}
