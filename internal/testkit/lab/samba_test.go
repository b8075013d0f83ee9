//go:build lab

package lab

import (
	"strings"
	"testing"

	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

// sambaWay is one manner in which Samba's client binds.
type sambaWay struct {
	name  string
	login SambaLogin
}

// protected says whether its requests are signed or sealed: a proxy without keys can refuse with a fault only.
func (w sambaWay) protected() bool { return w.login.Auth != "" && w.login.Level != "connect" }

// at completes a way's login: to this address, as u if it authenticates at all.
func (w sambaWay) at(address string, u User) SambaLogin {
	l := w.login
	l.Address = address
	if l.Auth != "" {
		l.User = u
	}
	return l
}

// sambaMechanism is what a client process authenticates with.
type sambaMechanism struct{ auth, etype string }

func (m sambaMechanism) String() string { return strings.TrimSpace(m.auth + " " + m.etype) }

// sambaMechs are those of Samba's client, with the types of session key that its Kerberos can have.
var sambaMechs = []sambaMechanism{{"ntlm", ""}, {"kerberos", "aes256"}, {"kerberos", "aes128"}, {"kerberos", "rc4"}}

// ways are all that Samba's client can do with a mechanism: raw and in SPNEGO, levels, byte orders.
func (m sambaMechanism) ways() (all []sambaWay) {
	for _, form := range []string{"raw", "SPNEGO"} {
		for _, level := range []string{"connect", "packet", "integrity", "privacy"} {
			for _, order := range []string{"little-endian", "big-endian"} {
				all = append(all, sambaWay{form + " " + level + " " + order, SambaLogin{
					Auth: m.auth, Etype: m.etype, SPNEGO: form == "SPNEGO", Level: level, BigEndian: order == "big-endian",
				}})
			}
		}
	}
	return all
}

// inEverySambaWay runs test as a subtest for each mechanism and way, with a client process per mechanism.
func inEverySambaWay(t *testing.T, samba *Samba, test func(*testing.T, *SambaClient, sambaWay)) {
	for _, m := range sambaMechs {
		t.Run(m.String(), func(t *testing.T) {
			client := StartSambaClient(t, samba)
			for _, w := range m.ways() {
				t.Run(w.name, func(t *testing.T) {
					client.ReportTo(t)
					test(t, client, w)
				})
			}
		})
	}
}

// TestSambasClientWorksInEveryWay: with mechanisms, levels and byte orders of all kinds, whatever the proxy can read of
// them, calls of all sizes pass, one after the other and many at once.
func TestSambasClientWorksInEveryWay(t *testing.T) {
	samba := StartSamba(t)
	proxy := StartProxy(t, ProxyOptions{Front: "127.0.20.43", Samba: samba, Limit: 50})
	inEverySambaWay(t, samba, func(t *testing.T, client *SambaClient, w sambaWay) {
		expect(t, "connect", client.Connect(w.name, w.at(proxy.Front, Alice)))
		first := expect(t, "bind", client.Bind(w.name)).Handle
		second := expect(t, "bind without GUID", client.BindWithoutGUID(w.name)).Handle
		expect(t, "echo", client.Echo(w.name, 1))
		expect(t, "echo", client.Echo(w.name, 30_000))
		expect(t, "pipelined echoes", client.Echo(w.name, 900, 1, 6_000, 200, 40_000, 17, 5_800, 1_000))
		checkSambaHeld(t, proxy, samba, 2)
		if users := samba.Status(t).Users; users[samba.SID(t, Alice.Name)] != 2 {
			t.Errorf("the sessions belong to %v", users)
		}
		for _, handle := range []string{first, second} {
			if a := expect(t, "unbind", client.Unbind(w.name, inOrder(handle, w.login.BigEndian))); a.Status != uint32(nspi.UnbindSuccess) {
				t.Errorf("unbind: %+v", a)
			}
		}
		expect(t, "close", client.Close(w.name))
		checkSambaHeld(t, proxy, samba, 0)
	})
}

// TestSambasClientIsRefusedAboveTheLimit by a proxy that has no keys: in NSPI's own words where it can read and write,
// with a fault elsewhere.
func TestSambasClientIsRefusedAboveTheLimit(t *testing.T) {
	const limit = 2
	samba := StartSamba(t)
	proxy := StartProxy(t, ProxyOptions{Front: "127.0.20.44", Samba: samba, Limit: limit})
	inEverySambaWay(t, samba, func(t *testing.T, client *SambaClient, w sambaWay) {
		expect(t, "connect", client.Connect(w.name, w.at(proxy.Front, Bob)))
		for range limit {
			expect(t, "bind", client.Bind(w.name))
		}
		before := samba.Status(t)
		refused := client.Bind(w.name)
		want := Answer{Kind: KindStatus, Status: uint32(nspi.LogonFailed)}
		if w.protected() {
			want = Answer{Kind: KindFault, Status: rpcparse.StatusAccessDenied}
		}
		if refused.Kind != want.Kind || refused.Status != want.Status {
			t.Errorf("bind above the limit: %+v, want %s 0x%X", refused, want.Kind, want.Status)
		}
		if after := samba.Status(t); after.Granted != before.Granted || after.Refused != before.Refused {
			t.Errorf("the refused bind reached the domain controller: %+v, then %+v", before, after)
		}
		expect(t, "close", client.Close(w.name))
		checkSambaHeld(t, proxy, samba, 0)
	})
}

// TestSambasOwnRefusalHoldsNothing: the domain controller's limit may be the lower one.
func TestSambasOwnRefusalHoldsNothing(t *testing.T) {
	samba := StartSamba(t)
	samba.SetLimit(t, 1)
	proxy := StartProxy(t, ProxyOptions{Front: "127.0.20.45", Samba: samba, Limit: 50})
	client := StartSambaClient(t, samba)
	login := SambaLogin{Address: proxy.Front, Auth: "ntlm", SPNEGO: true, Level: "privacy", User: Alice}
	expect(t, "connect", client.Connect("a", login))
	handle := expect(t, "bind", client.Bind("a")).Handle
	if a := client.Bind("a"); a.Kind != KindStatus || a.Status != uint32(nspi.LogonFailed) {
		t.Errorf("bind above the domain controller's limit: %+v", a)
	}
	checkSambaHeld(t, proxy, samba, 1)
	expect(t, "unbind", client.Unbind("a", handle))
	expect(t, "bind", client.Bind("a"))
	checkSambaHeld(t, proxy, samba, 1)
}

// TestSambasSessionsLiveAsLongAsTheirAssociation: an unbind on another connection ends one, the end of the connection that
// bound it does not, the end of the last one does.
func TestSambasSessionsLiveAsLongAsTheirAssociation(t *testing.T) {
	samba := StartSamba(t)
	proxy := StartProxy(t, ProxyOptions{Front: "127.0.20.46", Samba: samba, Limit: 50})
	client := StartSambaClient(t, samba)
	login := SambaLogin{Address: proxy.Front, Auth: "kerberos", Level: "connect", User: Alice}
	login.Group = expect(t, "connect", client.Connect("first", login)).Group
	handle := expect(t, "bind", client.Bind("first")).Handle
	expect(t, "bind", client.Bind("first"))
	if second := expect(t, "connect again", client.Connect("second", login)); second.Group != login.Group {
		t.Fatalf("association %d instead of %d", second.Group, login.Group)
	}
	expect(t, "unbind on the other connection", client.Unbind("second", handle))
	checkSambaHeld(t, proxy, samba, 1)
	expect(t, "close", client.Close("first"))
	expect(t, "echo", client.Echo("second", 1_000))
	checkSambaHeld(t, proxy, samba, 1)
	expect(t, "close", client.Close("second"))
	checkSambaHeld(t, proxy, samba, 0)
	if s := samba.Status(t); s.Granted != 2 || s.Unbound != 1 || s.RunDown != 1 {
		t.Errorf("the domain controller counts %+v", s)
	}
}
