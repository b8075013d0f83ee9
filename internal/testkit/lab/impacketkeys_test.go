//go:build lab

package lab

import (
	"testing"

	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

// TestImpacketGoesOnAfterASignedRefusal: with keys a refusal on a signed or sealed connection is MAPI_E_LOGON_FAILED under
// its own signature, and the very same security context goes on. The server is Samba's runtime, the client Impacket's.
func TestImpacketGoesOnAfterASignedRefusal(t *testing.T) {
	samba := StartSamba(t)
	proxy := keyedProxy(t, samba, "127.0.20.62")
	for _, w := range ways {
		if !w.sealed || w.login.Syntax != "" { // Samba has no NDR64
			continue
		}
		t.Run(w.name, func(t *testing.T) {
			client := StartImpacket(t)
			expect(t, "connect", client.Connect("a", w.at(proxy.Front)))
			var handles []string
			for range keysLimit {
				handles = append(handles, expect(t, "bind", client.Bind("a")).Handle)
			}
			for range 2 {
				expectLogonFailed(t, client.Bind("a"))
			}
			if a := expect(t, "unbind", client.Unbind("a", handles[0])); a.Status != uint32(nspi.UnbindSuccess) {
				t.Errorf("unbind: %+v", a)
			}
			expect(t, "bind after an unbind", client.Bind("a"))
			expectLogonFailed(t, client.Bind("a"))
			for _, size := range []int{1, 100, 6000, 30_000} {
				expect(t, "call", client.Call("a", 7, size))
			}
			expect(t, "close", client.Close("a", false))
			Eventually(t, settle, "nobody holds anything", func() bool {
				return samba.Status(t).Sessions == 0 && proxy.Metrics(t).Sum("nspiproxy_sessions_held") == 0
			})
		})
	}
}
