//go:build lab

package client

import (
	"testing"

	"github.com/nspiproxy/nspiproxy/internal/testkit/lab"
)

func TestSessionsSurviveTheFirstConnectionAndEndWithTheLast(t *testing.T) {
	dc := lab.StartDC(t, lab.DCOptions{Address: "127.0.10.31"})
	proxy := lab.StartProxy(t, lab.ProxyOptions{Front: "127.0.20.31", DC: dc, Limit: 2})
	client := lab.StartImpacket(t)
	login := lab.NTLMConnect.At(proxy.Front)
	first := lab.Expect(t, "connect", client.Connect("first", login))
	login.Group = first.Group
	if second := lab.Expect(t, "join", client.Connect("second", login)); second.Group != first.Group {
		t.Fatalf("joined association %d instead of %d", second.Group, first.Group)
	}
	kept := lab.Expect(t, "bind on the first", client.Bind("first")).Handle
	lab.Expect(t, "bind on the second", client.Bind("second"))
	lab.NTLMConnect.CheckRefused(t, client.Bind("second"))

	lab.Expect(t, "close the first", client.Close("first", true))
	lab.Expect(t, "query the first one's session", client.Query("second", kept))
	lab.NTLMConnect.CheckRefused(t, client.Bind("second"))
	lab.CheckHeld(t, proxy, dc, 2)

	lab.Expect(t, "unbind the first one's session", client.Unbind("second", kept))
	lab.CheckHeld(t, proxy, dc, 1)
	lab.Expect(t, "bind once more", client.Bind("second"))
	lab.Expect(t, "close the second", client.Close("second", false))
	lab.CheckNobodyLeft(t, proxy, dc)
}

// TestOthersCannotJoinAnAssociation: a client that could would be able to use and end the sessions of its owner.
func TestOthersCannotJoinAnAssociation(t *testing.T) {
	dc := lab.StartDC(t, lab.DCOptions{Address: "127.0.10.32", Anonymous: true})
	proxy := lab.StartProxy(t, lab.ProxyOptions{Front: "127.0.20.32", DC: dc, Limit: 5})
	owner := lab.DialProxy(t, proxy, 1)
	handle := lab.OpenSession(t, owner)
	if err := lab.DialProxy(t, proxy, 2).Bind(owner.Group); err == nil {
		t.Error("another client address has joined the association")
	}
	if _, err := owner.NspiUnbind(handle); err != nil {
		t.Errorf("the owner's connection has suffered: %v", err)
	}
	if n := proxy.Metrics(t).Sum("nspiproxy_association_refusals_total"); n != 1 {
		t.Errorf("%v refusals of associations are counted, want 1", n)
	}
	lab.CheckHeld(t, proxy, dc, 0)
}
