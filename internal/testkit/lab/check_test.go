//go:build lab

package lab

import (
	"testing"
	"time"
)

// settle is how long proxy and domain controller may take to notice the end of a connection.
const settle = 15 * time.Second

// expect fails the test unless the operation worked.
func expect(t *testing.T, what string, a Answer) Answer {
	t.Helper()
	if !a.OK {
		t.Fatalf("%s: %+v", what, a)
	}
	return a
}

// checkHeld waits until the proxy and the domain controller agree that so many sessions are held, and no bind is
// under way.
func checkHeld(t *testing.T, proxy *Proxy, dc *DC, want int) {
	t.Helper()
	var m Metrics
	var c DCCount
	deadline := time.Now().Add(settle)
	for {
		m, c = proxy.Metrics(t), dc.Count(t)
		if int(m.Sum("nspiproxy_sessions_held")) == want && m.Sum("nspiproxy_sessions_reserved") == 0 && c.Sessions == want {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("sessions: the proxy holds %v and reserves %v, the domain controller holds %d; want %d",
				m.Sum("nspiproxy_sessions_held"), m.Sum("nspiproxy_sessions_reserved"), c.Sessions, want)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// checkNobodyLeft waits until neither side knows of any connection, association or session.
func checkNobodyLeft(t *testing.T, proxy *Proxy, dc *DC) {
	t.Helper()
	checkHeld(t, proxy, dc, 0)
	Eventually(t, settle, "no connection is left", func() bool {
		m, c := proxy.Metrics(t), dc.Count(t)
		return m.Sum("nspiproxy_connections") == 0 && m.Sum("nspiproxy_associations") == 0 && c.Connections == 0
	})
}
