//go:build lab

package identity

import (
	"net/netip"
	"testing"

	"github.com/nspiproxy/nspiproxy/internal/testkit/lab"
)

var aliceInLAB, bobInLAB = spelt("LAB", lab.Alice.Name), spelt("LAB", lab.Bob.Name)

// TestStrangersDoNotKeepSessionsAlive: somebody behind alice's address joins her association and does not log on. When she
// has left, her sessions end, on the domain controller too.
func TestStrangersDoNotKeepSessionsAlive(t *testing.T) {
	samba := lab.StartSamba(t)
	proxy := lab.StartProxy(t, lab.ProxyOptions{Front: "127.0.20.94", Samba: samba, Limit: 5})
	address := nspiPort(t, proxy.Front)
	owner, bind := logon(t, address, aliceInLAB, lab.Alice.Password)
	if bind != "granted" {
		t.Fatal(bind)
	}
	for range 3 {
		stranger, err := lab.DialConn(address, netip.Addr{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { stranger.Close() })
		if err := stranger.Bind(owner.Group); err != nil {
			t.Fatal(err)
		}
	}
	lab.CheckSambaHeld(t, proxy, samba, 1)
	owner.Close()
	lab.Eventually(t, 2*lab.SettleTime, "alice's session has ended on both sides", func() bool {
		return samba.Status(t).Sessions == 0 && proxy.Metrics(t).Sum("nspiproxy_sessions_held") == 0
	})
	if samba.Status(t).RunDown != 1 {
		t.Errorf("%+v", samba.Status(t))
	}
}

// TestHandleOfALiveSessionUsedByAnotherUser: the domain controller does not know it under that user, and has it all the same.
func TestHandleOfALiveSessionUsedByAnotherUser(t *testing.T) {
	const limit = 3
	samba := lab.StartSamba(t)
	proxy := lab.StartProxy(t, lab.ProxyOptions{Front: "127.0.20.95", Samba: samba, Limit: limit})
	x, bind := logon(t, nspiPort(t, proxy.Front), aliceInLAB, lab.Alice.Password)
	if bind != "granted" {
		t.Fatal(bind)
	}
	x.ID = 2
	if why := authenticate(t, x, bobInLAB, lab.Bob.Password); why != "" {
		t.Fatal(why)
	}
	if got := x.NspiUnbind(); got == "unbound" {
		t.Fatal("the domain controller lets another user end a session")
	} else {
		t.Log(got)
	}
	lab.CheckSambaHeld(t, proxy, samba, 1)
	x.ID = 1
	if got := x.NspiUnbind(); got != "unbound" {
		t.Errorf("its own user: %s", got)
	}
	lab.CheckSambaHeld(t, proxy, samba, 0)
}
