//go:build lab

package client

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/oiweiwei/gokrb5.fork/v9/keytab"

	"github.com/nspiproxy/nspiproxy/internal/testkit/lab"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

const (
	// referralName is what the proxy's listener is called, and longer than what it stands for.
	referralName = "gc-proxy.corp.example"
	// dcName is what the simulated domain controller refers to: itself.
	dcName = "DC1.lab.test"
)

// ntHashes is a file with the arcfour-hmac keys of alice and bob, which are their NT hashes.
func ntHashes(t *testing.T) string {
	t.Helper()
	const arcfour = 23
	tab := keytab.New()
	for _, u := range []lab.User{lab.Alice, lab.Bob} {
		if err := tab.AddEntry(u.Name, "LAB.TEST", u.Password, time.Now(), 1, arcfour); err != nil {
			t.Fatal(err)
		}
	}
	data, err := tab.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "users.keytab")
	lab.WritePrivate(t, file, data)
	return file
}

func expectReferred(t *testing.T, client *lab.Impacket, conn, server string) {
	t.Helper()
	if a := lab.Expect(t, "referral", client.Refer(conn)); a.Server != server || a.FQDN != server {
		t.Errorf("referred to %q and %q, want %q", a.Server, a.FQDN, server)
	}
}

// TestImpacketIsReferredToTheProxy: the server is the simulated one, and every manner of binding gets the proxy's name,
// signed and sealed ones under the server's own keys. Then a session is opened on the same connection.
func TestImpacketIsReferredToTheProxy(t *testing.T) {
	dc := lab.StartDC(t, lab.DCOptions{Address: "127.0.10.81", Anonymous: true})
	proxy := lab.StartProxy(t, lab.ProxyOptions{Front: "127.0.20.81", DC: dc, Limit: 1, Name: referralName,
		More: "identity:\n  keytabs: [" + ntHashes(t) + "]\n"})
	capture := lab.StartCapture(t, "tcp and host "+proxy.Front)
	client := lab.StartImpacket(t)
	answers, readable := 0, 0 // readable without keys, of either method
	for _, w := range lab.Variants {
		t.Run(w.Name, func(t *testing.T) {
			client.ReportTo(t)
			before := answers
			login := w.At(proxy.Front)
			login.Interface = "rfri"
			lab.Expect(t, "connect", client.Connect(w.Name, login))
			for range 3 {
				expectReferred(t, client, w.Name, referralName)
				answers += 2
			}
			if w.Login.Level != "connect" { // there Impacket puts no verifier on calls, so that its users cannot be distinguished
				sessionBesideReferrals(t, client, w.Name)
				answers += 2
			}
			if w.Login.Level != "privacy" {
				readable += (answers - before) / 2
			}
			lab.Expect(t, "close", client.Close(w.Name, false))
			lab.CheckHeld(t, proxy, dc, 0)
		})
	}
	capture.Stop(t)

	m := proxy.Metrics(t)
	rewritten, all := m.Sum("nspiproxy_referrals_total", `result="rewritten"`), m.Sum("nspiproxy_referrals_total")
	if rewritten != float64(answers) || all != float64(answers) {
		t.Errorf("%v answers were rewritten of %v, want all of %d", rewritten, all, answers)
	}
	lab.CheckNoComplaints(t, capture.File)
	for _, method := range []string{"RfrGetNewDSA.ppszServer", "RfrGetFQDNFromLegacyDN.ppszServerFQDN"} {
		if rows := lab.Dissect(t, capture.File, `rfr.`+method+` == "`+referralName+`"`, "frame.number"); len(rows) != readable {
			t.Errorf("tshark reads %d names in %s, want %d", len(rows), method, readable)
		}
	}
}

// sessionBesideReferrals opens a session on a connection of the referral interface, is refused another one, and asks again.
func sessionBesideReferrals(t *testing.T, client *lab.Impacket, conn string) {
	t.Helper()
	lab.Expect(t, "alter_context", client.AlterTo(conn, "nspi"))
	handle := lab.Expect(t, "bind", client.Bind(conn)).Handle
	lab.ExpectLogonFailed(t, client.Bind(conn))
	lab.Expect(t, "alter_context", client.AlterTo(conn, "rfri"))
	expectReferred(t, client, conn, referralName)
	lab.Expect(t, "alter_context", client.AlterTo(conn, "nspi"))
	if a := lab.Expect(t, "unbind", client.Unbind(conn, handle)); a.Status != uint32(nspi.UnbindSuccess) {
		t.Errorf("unbind: %+v", a)
	}
}

// TestImpacketIsReferredElsewhereWithoutANameForTheProxy: the answers are the server's, and the log says where clients go.
func TestImpacketIsReferredElsewhereWithoutANameForTheProxy(t *testing.T) {
	dc := lab.StartDC(t, lab.DCOptions{Address: "127.0.10.82", Anonymous: true})
	proxy := lab.StartProxy(t, lab.ProxyOptions{Front: "127.0.20.82", DC: dc, Limit: 1})
	client := lab.StartImpacket(t)
	for _, w := range lab.Variants {
		login := w.At(proxy.Front)
		login.Interface = "rfri"
		lab.Expect(t, "connect", client.Connect(w.Name, login))
		expectReferred(t, client, w.Name, dcName)
		lab.Expect(t, "close", client.Close(w.Name, false))
	}
	proxy.Stop(t, lab.StopTime)
	seen := map[any]int{}
	for _, r := range proxy.Log() {
		seen[r["event"]]++
		if r["event"] == "referral.elsewhere" && r["server"] != dcName {
			t.Errorf("%v", r)
		}
	}
	if seen["referral.elsewhere"] != 1 || seen["referral.protected"] != 1 {
		t.Errorf("%d records of the one server, %d of sealed answers; want one of each", seen["referral.elsewhere"], seen["referral.protected"])
	}
}
