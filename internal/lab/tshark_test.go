//go:build lab

package lab

import (
	"fmt"
	"testing"

	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

// TestTsharkDissectsEveryRefusal captures the refusals that each kind of client gets: what the proxy says itself must
// be as well-formed as what a domain controller says.
func TestTsharkDissectsEveryRefusal(t *testing.T) {
	dc := StartDC(t, DCOptions{Address: "127.0.10.61", Anonymous: true})
	proxy := StartProxy(t, ProxyOptions{Front: "127.0.20.61", DC: dc, Limit: 1})
	capture := StartCapture(t, "tcp and host "+proxy.Front)
	client := StartImpacket(t)
	for _, w := range ways {
		expect(t, "connect", client.Connect(w.name, w.at(proxy.Front)))
		handle := expect(t, "bind", client.Bind(w.name)).Handle
		w.refused(t, client.Bind(w.name))
		if w.sealed {
			expect(t, "alter_context", client.AlterContext(w.name))
		}
		expect(t, "unbind", client.Unbind(w.name, handle))
		expect(t, "close", client.Close(w.name, false))
	}
	capture.Stop(t)

	for _, row := range Complaints(t, capture.File) {
		t.Errorf("tshark complains: frame %s from port %s, packet type %s: %s", row[0], row[1], row[2], row[3])
	}
	logonFailed := fmt.Sprintf("nspi.MAPISTATUS_status == 0x%08x", uint32(nspi.LogonFailed))
	accessDenied := fmt.Sprintf("dcerpc.pkt_type == 3 && dcerpc.cn_status == 0x%08x", rpcparse.StatusAccessDenied)
	for _, c := range []struct {
		what, filter string
		sealed       bool
	}{{"MAPI_E_LOGON_FAILED", logonFailed, false}, {"access denied", accessDenied, true}} {
		want := 0
		for _, w := range ways {
			if w.sealed == c.sealed {
				want++
			}
		}
		if rows := Dissect(t, capture.File, c.filter, "frame.number"); len(rows) != want {
			t.Errorf("tshark reads %d answers %s, want %d", len(rows), c.what, want)
		}
	}
}
