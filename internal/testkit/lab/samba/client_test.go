//go:build lab

package samba

import (
	"strings"
	"testing"

	"github.com/nspiproxy/nspiproxy/internal/testkit/lab"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

// sambaWay is one manner in which Samba's client binds.
type sambaWay struct {
	name  string
	login lab.SambaLogin
}

// protected says whether its requests are signed or sealed: a proxy without keys can refuse with a fault only.
func (w sambaWay) protected() bool { return w.login.Auth != "" && w.login.Level != "connect" }

// at completes a way's login: to this address, as u if it authenticates at all.
func (w sambaWay) at(address string, u lab.User) lab.SambaLogin {
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
				all = append(all, sambaWay{form + " " + level + " " + order, lab.SambaLogin{
					Auth: m.auth, Etype: m.etype, SPNEGO: form == "SPNEGO", Level: level, BigEndian: order == "big-endian",
				}})
			}
		}
	}
	return all
}

// inEverySambaWay runs test as a subtest for each mechanism and way, with a client process per mechanism.
func inEverySambaWay(t *testing.T, samba *lab.Samba, test func(*testing.T, *lab.SambaClient, sambaWay)) {
	for _, m := range sambaMechs {
		t.Run(m.String(), func(t *testing.T) {
			client := lab.StartSambaClient(t, samba)
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
	samba := lab.StartSamba(t)
	proxy := lab.StartProxy(t, lab.ProxyOptions{Front: "127.0.20.43", Samba: samba, Limit: 50})
	inEverySambaWay(t, samba, func(t *testing.T, client *lab.SambaClient, w sambaWay) {
		lab.Expect(t, "connect", client.Connect(w.name, w.at(proxy.Front, lab.Alice)))
		first := lab.Expect(t, "bind", client.Bind(w.name)).Handle
		second := lab.Expect(t, "bind without GUID", client.BindWithoutGUID(w.name)).Handle
		lab.Expect(t, "echo", client.Echo(w.name, 1))
		lab.Expect(t, "echo", client.Echo(w.name, 30_000))
		lab.Expect(t, "pipelined echoes", client.Echo(w.name, 900, 1, 6_000, 200, 40_000, 17, 5_800, 1_000))
		lab.CheckSambaHeld(t, proxy, samba, 2)
		if users := samba.Status(t).Users; users[samba.SID(t, lab.Alice.Name)] != 2 {
			t.Errorf("the sessions belong to %v", users)
		}
		for _, handle := range []string{first, second} {
			if a := lab.Expect(t, "unbind", client.Unbind(w.name, inOrder(handle, w.login.BigEndian))); a.Status != uint32(nspi.UnbindSuccess) {
				t.Errorf("unbind: %+v", a)
			}
		}
		lab.Expect(t, "close", client.Close(w.name))
		lab.CheckSambaHeld(t, proxy, samba, 0)
	})
}

// TestSambasClientIsRefusedAboveTheLimit by a proxy that has no keys: in NSPI's own words where it can read and write,
// with a fault elsewhere.
func TestSambasClientIsRefusedAboveTheLimit(t *testing.T) {
	const limit = 2
	samba := lab.StartSamba(t)
	proxy := lab.StartProxy(t, lab.ProxyOptions{Front: "127.0.20.44", Samba: samba, Limit: limit})
	inEverySambaWay(t, samba, func(t *testing.T, client *lab.SambaClient, w sambaWay) {
		lab.Expect(t, "connect", client.Connect(w.name, w.at(proxy.Front, lab.Bob)))
		for range limit {
			lab.Expect(t, "bind", client.Bind(w.name))
		}
		before := samba.Status(t)
		refused := client.Bind(w.name)
		want := lab.Answer{Kind: lab.KindStatus, Status: uint32(nspi.LogonFailed)}
		if w.protected() {
			want = lab.Answer{Kind: lab.KindFault, Status: rpcparse.StatusAccessDenied}
		}
		if refused.Kind != want.Kind || refused.Status != want.Status {
			t.Errorf("bind above the limit: %+v, want %s 0x%X", refused, want.Kind, want.Status)
		}
		if after := samba.Status(t); after.Granted != before.Granted || after.Refused != before.Refused {
			t.Errorf("the refused bind reached the domain controller: %+v, then %+v", before, after)
		}
		lab.Expect(t, "close", client.Close(w.name))
		lab.CheckSambaHeld(t, proxy, samba, 0)
	})
}

// TestSambasOwnRefusalHoldsNothing: the domain controller's limit may be the lower one.
func TestSambasOwnRefusalHoldsNothing(t *testing.T) {
	samba := lab.StartSamba(t)
	samba.SetLimit(t, 1)
	proxy := lab.StartProxy(t, lab.ProxyOptions{Front: "127.0.20.45", Samba: samba, Limit: 50})
	client := lab.StartSambaClient(t, samba)
	login := lab.SambaLogin{Address: proxy.Front, Auth: "ntlm", SPNEGO: true, Level: "privacy", User: lab.Alice}
	lab.Expect(t, "connect", client.Connect("a", login))
	handle := lab.Expect(t, "bind", client.Bind("a")).Handle
	if a := client.Bind("a"); a.Kind != lab.KindStatus || a.Status != uint32(nspi.LogonFailed) {
		t.Errorf("bind above the domain controller's limit: %+v", a)
	}
	lab.CheckSambaHeld(t, proxy, samba, 1)
	lab.Expect(t, "unbind", client.Unbind("a", handle))
	lab.Expect(t, "bind", client.Bind("a"))
	lab.CheckSambaHeld(t, proxy, samba, 1)
}

// TestSambasSessionsLiveAsLongAsTheirAssociation: an unbind on another connection ends one, the end of the connection that
// bound it does not, the end of the last one does.
func TestSambasSessionsLiveAsLongAsTheirAssociation(t *testing.T) {
	samba := lab.StartSamba(t)
	proxy := lab.StartProxy(t, lab.ProxyOptions{Front: "127.0.20.46", Samba: samba, Limit: 50})
	client := lab.StartSambaClient(t, samba)
	login := lab.SambaLogin{Address: proxy.Front, Auth: "kerberos", Level: "connect", User: lab.Alice}
	login.Group = lab.Expect(t, "connect", client.Connect("first", login)).Group
	handle := lab.Expect(t, "bind", client.Bind("first")).Handle
	lab.Expect(t, "bind", client.Bind("first"))
	if second := lab.Expect(t, "connect again", client.Connect("second", login)); second.Group != login.Group {
		t.Fatalf("association %d instead of %d", second.Group, login.Group)
	}
	lab.Expect(t, "unbind on the other connection", client.Unbind("second", handle))
	lab.CheckSambaHeld(t, proxy, samba, 1)
	lab.Expect(t, "close", client.Close("first"))
	lab.Expect(t, "echo", client.Echo("second", 1_000))
	lab.CheckSambaHeld(t, proxy, samba, 1)
	lab.Expect(t, "close", client.Close("second"))
	lab.CheckSambaHeld(t, proxy, samba, 0)
	if s := samba.Status(t); s.Granted != 2 || s.Unbound != 1 || s.RunDown != 1 {
		t.Errorf("the domain controller counts %+v", s)
	}
}
