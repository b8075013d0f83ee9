//go:build lab

package lab

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/internal/testkit/lab/rawnspi"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

// bindTime is how long the domain controller of these tests takes for an NspiBind: long enough to do something
// meanwhile, on a busy machine, too.
const bindTime = 3 * time.Second

// sendBinds writes NspiBind requests with the given call ids, all in one segment.
func sendBinds(t *testing.T, c *rawnspi.Client, calls ...uint32) {
	t.Helper()
	var b []byte
	for _, call := range calls {
		var err error
		if b, err = rpcparse.AppendRequest(b, rawnspi.RequestPDU(call, nspi.OpnumBind, rawnspi.BindStub())); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.Conn.Write(b); err != nil {
		t.Fatal(err)
	}
}

// readBinds reads n answers to NspiBind and returns their codes by call id.
func readBinds(t *testing.T, c *rawnspi.Client, n int) map[uint32]nspi.Code {
	t.Helper()
	codes := map[uint32]nspi.Code{}
	for len(codes) < n {
		pdu, err := nextPDU(c.Conn)
		if err != nil {
			t.Fatal(err)
		}
		r, err := rpcparse.ParseResponse(pdu)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := nspi.ParseBindResponse(r.Stub, nspi.NDR, rpcparse.LittleEndian)
		if err != nil {
			t.Fatal(err)
		}
		codes[r.CallID] = answer.Code
	}
	return codes
}

// nextPDU reads one PDU.
func nextPDU(conn net.Conn) ([]byte, error) {
	_ = conn.SetReadDeadline(time.Now().Add(settle))
	head := make([]byte, rpcparse.HeaderSize)
	if _, err := io.ReadFull(conn, head); err != nil {
		return nil, err
	}
	h, err := rpcparse.ParseHeader(head)
	if err != nil {
		return nil, err
	}
	pdu := append(head, make([]byte, int(h.FragLength)-len(head))...)
	_, err = io.ReadFull(conn, pdu[len(head):])
	return pdu, err
}

// TestRefusedBindLeavesTheCallInFlightAlone: three binds in one segment, one slot. Two are refused while the domain
// controller still works on the other.
func TestRefusedBindLeavesTheCallInFlightAlone(t *testing.T) {
	dc := StartDC(t, DCOptions{Address: "127.0.10.46", Anonymous: true, BindDelay: bindTime})
	proxy := StartProxy(t, ProxyOptions{Front: "127.0.20.46", DC: dc, Limit: 1})
	c := dial(t, proxy, 1)
	if err := c.Bind(0); err != nil {
		t.Fatal(err)
	}
	sendBinds(t, c, 11, 12, 13)
	codes := readBinds(t, c, 3)
	if codes[11] != nspi.Success || codes[12] != nspi.LogonFailed || codes[13] != nspi.LogonFailed {
		t.Errorf("answers by call id: %v", codes)
	}
	if n := dc.Count(t).Binds; n != 1 {
		t.Errorf("%d binds have reached the domain controller, want 1", n)
	}
	checkHeld(t, proxy, dc, 1)
}

// TestClientLostDuringABind: whatever the domain controller answers later, nobody is there to have it.
func TestClientLostDuringABind(t *testing.T) {
	dc := StartDC(t, DCOptions{Address: "127.0.10.47", Anonymous: true, BindDelay: bindTime})
	proxy := StartProxy(t, ProxyOptions{Front: "127.0.20.47", DC: dc, Limit: 1})
	for _, end := range []func(*rawnspi.Client){(*rawnspi.Client).Reset, (*rawnspi.Client).Close} {
		c := dial(t, proxy, 1)
		if err := c.Bind(0); err != nil {
			t.Fatal(err)
		}
		sendBinds(t, c, 11)
		checkReserved(t, proxy, 1)
		end(c)
		checkNobodyLeft(t, proxy, dc)
	}
	bindSession(t, dial(t, proxy, 1))
	checkHeld(t, proxy, dc, 1)
}

func checkReserved(t *testing.T, proxy *Proxy, want int) {
	t.Helper()
	Eventually(t, settle, "the number of reserved slots is right", func() bool {
		return int(proxy.Metrics(t).Sum("nspiproxy_sessions_reserved")) == want
	})
}
