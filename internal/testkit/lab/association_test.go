//go:build lab

package lab

import "testing"

func TestSessionsSurviveTheFirstConnectionAndEndWithTheLast(t *testing.T) {
	dc := StartDC(t, DCOptions{Address: "127.0.10.31"})
	proxy := StartProxy(t, ProxyOptions{Front: "127.0.20.31", DC: dc, Limit: 2})
	client := StartImpacket(t)
	login := ways[2].at(proxy.Front)
	first := expect(t, "connect", client.Connect("first", login))
	login.Group = first.Group
	if second := expect(t, "join", client.Connect("second", login)); second.Group != first.Group {
		t.Fatalf("joined association %d instead of %d", second.Group, first.Group)
	}
	kept := expect(t, "bind on the first", client.Bind("first")).Handle
	expect(t, "bind on the second", client.Bind("second"))
	ways[2].refused(t, client.Bind("second"))

	expect(t, "close the first", client.Close("first", true))
	expect(t, "query the first one's session", client.Query("second", kept))
	ways[2].refused(t, client.Bind("second"))
	checkHeld(t, proxy, dc, 2)

	expect(t, "unbind the first one's session", client.Unbind("second", kept))
	checkHeld(t, proxy, dc, 1)
	expect(t, "bind once more", client.Bind("second"))
	expect(t, "close the second", client.Close("second", false))
	checkNobodyLeft(t, proxy, dc)
}

// TestOthersCannotJoinAnAssociation: whoever could, could use and end the sessions of its owner.
func TestOthersCannotJoinAnAssociation(t *testing.T) {
	dc := StartDC(t, DCOptions{Address: "127.0.10.32", Anonymous: true})
	proxy := StartProxy(t, ProxyOptions{Front: "127.0.20.32", DC: dc, Limit: 5})
	owner := dial(t, proxy, 1)
	handle := bindSession(t, owner)
	if err := dial(t, proxy, 2).Bind(owner.Group); err == nil {
		t.Error("another client address has joined the association")
	}
	if _, err := owner.NspiUnbind(handle); err != nil {
		t.Errorf("the owner's connection has suffered: %v", err)
	}
	if n := proxy.Metrics(t).Sum("nspiproxy_association_refusals_total"); n != 1 {
		t.Errorf("%v refusals of associations are counted, want 1", n)
	}
	checkHeld(t, proxy, dc, 0)
}
