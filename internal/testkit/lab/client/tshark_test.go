//go:build lab

package client

import (
	"fmt"
	"net"
	"testing"

	"github.com/nspiproxy/nspiproxy/internal/testkit/lab"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

// TestTsharkDissectsEveryRefusal captures the refusals that each kind of client gets: what the proxy says itself must
// be as well-formed as what a domain controller says.
func TestTsharkDissectsEveryRefusal(t *testing.T) {
	dc := lab.StartDC(t, lab.DCOptions{Address: "127.0.10.61", Anonymous: true})
	proxy := lab.StartProxy(t, lab.ProxyOptions{Front: "127.0.20.61", DC: dc, Limit: 1})
	capture := lab.StartCapture(t, "tcp and host "+proxy.Front)
	client := lab.StartImpacket(t)
	for _, w := range lab.Variants {
		lab.Expect(t, "connect", client.Connect(w.Name, w.At(proxy.Front)))
		handle := lab.Expect(t, "bind", client.Bind(w.Name)).Handle
		w.CheckRefused(t, client.Bind(w.Name))
		if w.Sealed {
			lab.Expect(t, "alter_context", client.AlterContext(w.Name))
		}
		lab.Expect(t, "unbind", client.Unbind(w.Name, handle))
		lab.Expect(t, "close", client.Close(w.Name, false))
	}
	capture.Stop(t)

	lab.CheckNoComplaints(t, capture.File)
	logonFailed := fmt.Sprintf("nspi.MAPISTATUS_status == 0x%08x", uint32(nspi.LogonFailed))
	for _, c := range []struct {
		what, filter string
		sealed       bool
	}{{"MAPI_E_LOGON_FAILED", logonFailed, false}, {"access denied", faultFilter(rpcparse.StatusAccessDenied), true}} {
		want := 0
		for _, w := range lab.Variants {
			if w.Sealed == c.sealed {
				want++
			}
		}
		if rows := lab.Dissect(t, capture.File, c.filter, "frame.number"); len(rows) != want {
			t.Errorf("tshark reads %d answers %s, want %d", len(rows), c.what, want)
		}
	}
}

// TestTsharkDissectsWhatElseTheProxySays: the endpoint mapper's answers with ports of the proxy, the refusal to join
// another's association, and the fault to a security context that has missed a PDU.
func TestTsharkDissectsWhatElseTheProxySays(t *testing.T) {
	dc := lab.StartDC(t, lab.DCOptions{Address: "127.0.10.62", Anonymous: true})
	proxy := lab.StartProxy(t, lab.ProxyOptions{Front: "127.0.20.62", DC: dc, Limit: 1})
	capture := lab.StartCapture(t, "tcp and host "+proxy.Front)
	owner := lab.DialProxy(t, proxy, 1) // asks the endpoint mapper
	lab.OpenSession(t, owner)
	if err := lab.DialProxy(t, proxy, 2).Bind(owner.Group); err == nil {
		t.Error("another client address has joined the association")
	}
	client := lab.StartImpacket(t)
	sealed := lab.NTLMPrivacy
	lab.Expect(t, "connect", client.Connect("a", sealed.At(proxy.Front))) // Impacket asks the endpoint mapper in its own way
	handle := lab.Expect(t, "bind", client.Bind("a")).Handle
	sealed.CheckRefused(t, client.Bind("a"))
	if a := client.Query("a", handle); a.Kind != lab.KindFault || a.Status != rpcparse.StatusSecPkgError {
		t.Errorf("a call of the security context that has missed one: %+v", a)
	}
	capture.Stop(t)

	lab.CheckNoComplaints(t, capture.File)
	_, port, err := net.SplitHostPort(proxy.NSPI(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what, filter string
		least        int
	}{
		{"towers with the proxy's port", "tcp.srcport == 135 && epm.opnum == 3 && epm.proto.tcp_port == " + port, 3},
		{"bind_nak", "dcerpc.pkt_type == 13", 1},
		{"a fault of the security package", faultFilter(rpcparse.StatusSecPkgError), 1},
	} {
		if rows := lab.Dissect(t, capture.File, c.filter, "frame.number"); len(rows) < c.least {
			t.Errorf("tshark reads %d answers %s, want at least %d", len(rows), c.what, c.least)
		}
	}
}

// faultFilter finds fault PDUs with a status.
func faultFilter(status uint32) string {
	return fmt.Sprintf("dcerpc.pkt_type == 3 && dcerpc.cn_status == 0x%08x", status)
}
