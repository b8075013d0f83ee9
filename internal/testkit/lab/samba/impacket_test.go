//go:build lab

package samba

import (
	"testing"

	"github.com/nspiproxy/nspiproxy/internal/testkit/lab"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

// TestImpacketGoesOnAfterASignedRefusal: with keys a refusal on a signed or sealed connection is MAPI_E_LOGON_FAILED under
// its own signature, and the very same security context goes on. The server is Samba's runtime, the client Impacket's.
func TestImpacketGoesOnAfterASignedRefusal(t *testing.T) {
	samba := lab.StartSamba(t)
	proxy := keyedProxy(t, samba, "127.0.20.62")
	for _, w := range lab.Variants {
		if !w.Sealed || w.Login.Syntax != "" { // Samba has no NDR64
			continue
		}
		t.Run(w.Name, func(t *testing.T) {
			client := lab.StartImpacket(t)
			lab.Expect(t, "connect", client.Connect("a", w.At(proxy.Front)))
			var handles []string
			for range keysLimit {
				handles = append(handles, lab.Expect(t, "bind", client.Bind("a")).Handle)
			}
			for range 2 {
				lab.ExpectLogonFailed(t, client.Bind("a"))
			}
			if a := lab.Expect(t, "unbind", client.Unbind("a", handles[0])); a.Status != uint32(nspi.UnbindSuccess) {
				t.Errorf("unbind: %+v", a)
			}
			lab.Expect(t, "bind after an unbind", client.Bind("a"))
			lab.ExpectLogonFailed(t, client.Bind("a"))
			for _, size := range []int{1, 100, 6000, 30_000} {
				lab.Expect(t, "call", client.Call("a", 7, size))
			}
			lab.Expect(t, "close", client.Close("a", false))
			lab.Eventually(t, lab.SettleTime, "no session is held", func() bool {
				return samba.Status(t).Sessions == 0 && proxy.Metrics(t).Sum("nspiproxy_sessions_held") == 0
			})
		})
	}
}
