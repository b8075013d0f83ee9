//go:build lab

package client

import (
	"testing"

	"github.com/nspiproxy/nspiproxy/internal/testkit/lab"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

func TestImpacketIsGrantedUpToTheLimitAndAgainAfterAnUnbind(t *testing.T) {
	for _, w := range lab.Variants {
		t.Run(w.Name, func(t *testing.T) { testLimit(t, w) })
	}
}

func testLimit(t *testing.T, w lab.Variant) {
	const limit = 3
	dc := lab.StartDC(t, lab.DCOptions{Address: "127.0.10.21", Anonymous: true})
	proxy := lab.StartProxy(t, lab.ProxyOptions{Front: "127.0.20.21", DC: dc, Limit: limit})
	client := lab.StartImpacket(t)
	lab.Expect(t, "connect", client.Connect("a", w.At(proxy.Front)))

	var handles []string
	for range limit {
		handles = append(handles, lab.Expect(t, "bind", client.Bind("a")).Handle)
	}
	if rows := lab.Expect(t, "query", client.Query("a", handles[0])).Rows; rows == 0 {
		t.Error("the table is empty")
	}
	before := dc.Count(t)
	w.CheckRefused(t, client.Bind("a"))
	if after := dc.Count(t); after.Binds != before.Binds {
		t.Errorf("the refused bind reached the domain controller: %d binds, then %d", before.Binds, after.Binds)
	}
	if w.Sealed {
		lab.Expect(t, "alter_context", client.AlterContext("a"))
	}
	lab.Expect(t, "query after the refusal", client.Query("a", handles[0]))
	if a := lab.Expect(t, "unbind", client.Unbind("a", handles[0])); a.Status != uint32(nspi.UnbindSuccess) {
		t.Errorf("unbind: %+v", a)
	}
	lab.Expect(t, "bind after an unbind", client.Bind("a"))
	w.CheckRefused(t, client.Bind("a"))

	lab.CheckHeld(t, proxy, dc, limit)
	checkRefusalLogged(t, proxy, w, limit)
	lab.Expect(t, "close", client.Close("a", false))
	lab.CheckHeld(t, proxy, dc, 0)
}

func checkRefusalLogged(t *testing.T, proxy *lab.Proxy, w lab.Variant, limit int) {
	t.Helper()
	// The log is written beside the connections, so a record may come after the answer that it is about.
	lab.Eventually(t, lab.SettleTime, "the refusal is logged", func() bool { return len(proxy.Refusals()) > 0 })
	refusals := proxy.Refusals()
	if len(refusals) != 1 {
		t.Fatalf("%d records of event 2820, want 1: the second refusal is summed", len(refusals))
	}
	want := map[string]any{"assurance": "claimed", "user": lab.Domain + `\` + lab.Alice.Name}
	if w.Login.Auth == "" {
		want = map[string]any{"assurance": "address", "user": nil}
	}
	want["current"], want["backend"] = float64(limit), "dc"
	for key, value := range want {
		if refusals[0][key] != value {
			t.Errorf("event 2820 has %s %v, want %v", key, refusals[0][key], value)
		}
	}
	if n := proxy.Metrics(t).Sum("nspiproxy_refusals_total"); n != 2 {
		t.Errorf("nspiproxy_refusals_total is %v, want 2", n)
	}
}

func TestUsersDoNotShareALimit(t *testing.T) {
	dc := lab.StartDC(t, lab.DCOptions{Address: "127.0.10.22"})
	proxy := lab.StartProxy(t, lab.ProxyOptions{Front: "127.0.20.22", DC: dc, Limit: 1})
	client := lab.StartImpacket(t)
	for _, u := range []lab.User{lab.Alice, lab.Bob} {
		lab.Expect(t, "connect", client.Connect(u.Name, lab.Login{
			Address: proxy.Front, Auth: "ntlm", Level: "connect", Domain: lab.Domain, User: u.Name, Password: u.Password,
		}))
		lab.Expect(t, u.Name+"'s first bind", client.Bind(u.Name))
	}
	for _, u := range []lab.User{lab.Alice, lab.Bob} {
		lab.NTLMConnect.CheckRefused(t, client.Bind(u.Name))
	}
	lab.CheckHeld(t, proxy, dc, 2)
}

// TestWrongPasswordCountsForNobody: a claimed name is only a claim until the domain controller has accepted it.
func TestWrongPasswordCountsForNobody(t *testing.T) {
	dc := lab.StartDC(t, lab.DCOptions{Address: "127.0.10.23"})
	proxy := lab.StartProxy(t, lab.ProxyOptions{Front: "127.0.20.23", DC: dc, Limit: 1})
	thief, client := lab.StartImpacket(t), lab.StartImpacket(t)
	login := lab.Login{Address: proxy.Front, Auth: "ntlm", Level: "connect", Domain: lab.Domain, User: lab.Alice.Name}
	for range 3 {
		login.Password = "wrong"
		thief.Connect("thief", login)
		if a := thief.Bind("thief"); a.OK {
			t.Fatalf("granted with a wrong password: %+v", a)
		}
	}
	login.Password = lab.Alice.Password
	lab.Expect(t, "connect", client.Connect("a", login))
	lab.Expect(t, "bind", client.Bind("a"))
	lab.CheckHeld(t, proxy, dc, 1)
	lab.Expect(t, "close", client.Close("a", false))
	thief.Kill()
	checkNoRefusalLogged(t, proxy)
}

// TestOutlooksFirstStepIsNoRefusal: Outlook binds without authentication first, gets MAPI_E_LOGON_FAILED from the domain
// controller, and then authenticates on a second connection of the same association.
func TestOutlooksFirstStepIsNoRefusal(t *testing.T) {
	dc := lab.StartDC(t, lab.DCOptions{Address: "127.0.10.24"})
	proxy := lab.StartProxy(t, lab.ProxyOptions{Front: "127.0.20.24", DC: dc, Limit: 1})
	client := lab.StartImpacket(t)
	first := lab.Expect(t, "connect", client.Connect("first", lab.Login{Address: proxy.Front}))
	lab.Cleartext.CheckRefused(t, client.Bind("first"))

	login := lab.NTLMConnect.At(proxy.Front)
	login.Group = first.Group
	if second := lab.Expect(t, "connect again", client.Connect("second", login)); second.Group != first.Group {
		t.Errorf("association %d instead of %d", second.Group, first.Group)
	}
	lab.Expect(t, "bind", client.Bind("second"))
	lab.CheckHeld(t, proxy, dc, 1)
	m := proxy.Metrics(t)
	if n := m.Sum("nspiproxy_nspi_binds_total", `result="anonymous"`); n != 1 {
		t.Errorf("%v anonymous binds are counted, want 1", n)
	}
	if n := m.Sum("nspiproxy_nspi_binds_total", `result="refused"`); n != 0 {
		t.Errorf("%v binds count as refused", n)
	}
	lab.Expect(t, "close", client.Close("first", false))
	lab.Expect(t, "close", client.Close("second", false))
	checkNoRefusalLogged(t, proxy)
}

// checkNoRefusalLogged ends the proxy, so that its log is complete.
func checkNoRefusalLogged(t *testing.T, proxy *lab.Proxy) {
	t.Helper()
	proxy.Stop(t, lab.StopTime)
	for _, r := range proxy.Refusals() {
		t.Errorf("a refusal is logged: %v", r)
	}
}
