package lab

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

const (
	// SettleTime is how long proxy and domain controller may take to notice the end of a connection.
	SettleTime = 15 * time.Second

	// PromptTime is how long the end of a domain controller may take to reach a client. It takes milliseconds.
	PromptTime = 2 * time.Second

	// SilenceTime is how long it may take until the connections to a domain controller end whose machine has vanished:
	// health.fall connects of two seconds without an answer, one after the other, and what makes the proxy try them.
	// Twice as long, for a busy machine.
	SilenceTime = 2 * 10 * time.Second
)

// Expect fails the test unless the operation worked.
func Expect(t *testing.T, what string, a Answer) Answer {
	t.Helper()
	if !a.OK {
		t.Fatalf("%s: %+v", what, a)
	}
	return a
}

// CheckHeld waits until the proxy and the domain controller agree that so many sessions are held, and no bind is
// under way.
func CheckHeld(t *testing.T, proxy *Proxy, dc *DC, want int) {
	t.Helper()
	var m Metrics
	var c DCCount
	deadline := time.Now().Add(SettleTime)
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

// CheckNobodyLeft waits until neither side knows of any connection, association or session.
func CheckNobodyLeft(t *testing.T, proxy *Proxy, dc *DC) {
	t.Helper()
	CheckHeld(t, proxy, dc, 0)
	Eventually(t, SettleTime, "no connection is left", func() bool {
		m, c := proxy.Metrics(t), dc.Count(t)
		return m.Sum("nspiproxy_connections") == 0 && m.Sum("nspiproxy_associations") == 0 && c.Connections == 0
	})
}

// CheckReserved waits until so many binds are under way.
func CheckReserved(t *testing.T, proxy *Proxy, want int) {
	t.Helper()
	Eventually(t, SettleTime, "the number of reserved slots is right", func() bool {
		return int(proxy.Metrics(t).Sum("nspiproxy_sessions_reserved")) == want
	})
}

// CheckSeen opens a session on c, and holds what the domain controller and its kernel tell about it to c's own ends.
func CheckSeen(t *testing.T, dc *DC, c *Conn, want netip.Addr) {
	t.Helper()
	at := EndsOf(c)
	if at.Client.Addr() != want {
		t.Errorf("the client is %s, want %s", at.Client, want)
	}
	OpenSession(t, c)
	peers := dc.Peers(t)
	if !slices.Contains(peers.Connections, at) || peers.Sessions[at.Client] != 1 {
		t.Errorf("the domain controller sees %v instead of %v", peers, at)
	}
	if flows := dc.Machine().Flows(t); !slices.Contains(flows, Flow{Local: at.Server, Peer: at.Client}) {
		t.Errorf("the domain controller's kernel sees %v instead of %v", flows, at)
	}
}

// CheckJoinedFromOwnAddressOnly joins an association on the first domain controller from its owner's address, and from three others.
func CheckJoinedFromOwnAddressOnly(t *testing.T, network *Network) {
	t.Helper()
	dc, client := network.DCs[0], network.Clients[0]
	owner := DialFrom(t, client, dc.Address, netip.Addr{})
	handle := OpenSession(t, owner)
	for _, c := range []struct {
		what          string
		on            *Machine
		server, local netip.Addr
		joins         bool
	}{
		{"the same address", client, dc.Address, client.Address, true},
		{"another address of the machine", client, dc.Address, client.More(0), false},
		{"another machine", network.Clients[1], dc.Address, netip.Addr{}, false},
		{"the same machine by IPv6", client, dc.Address6, netip.Addr{}, false},
	} {
		if err := DialFrom(t, c.on, c.server, c.local).Bind(owner.Group); (err == nil) != c.joins {
			t.Errorf("%s: %v", c.what, err)
		}
	}
	if code, err := owner.NspiUnbind(handle); err != nil || code != nspi.UnbindSuccess {
		t.Errorf("NspiUnbind: %s, %v", code, err)
	}
}

// ExpectLogonFailed fails the test unless the method was refused as a domain controller does at its limit.
func ExpectLogonFailed(t *testing.T, a Answer) {
	t.Helper()
	if a.OK || a.Kind != KindStatus || a.Status != uint32(nspi.LogonFailed) {
		t.Fatalf("over the limit: %+v, want MAPI_E_LOGON_FAILED from the method", a)
	}
}

// CheckSambaHeld waits until the proxy and the domain controller agree that so many sessions are held, and no bind is
// under way.
func CheckSambaHeld(t *testing.T, proxy *Proxy, samba *Samba, want int) {
	t.Helper()
	var held, reserved, sessions int
	ok := func() bool {
		m := proxy.Metrics(t)
		held, reserved = int(m.Sum("nspiproxy_sessions_held")), int(m.Sum("nspiproxy_sessions_reserved"))
		sessions = samba.Status(t).Sessions
		return held == want && reserved == 0 && sessions == want
	}
	defer func() {
		if t.Failed() {
			t.Logf("the proxy holds %d and reserves %d, the domain controller holds %d", held, reserved, sessions)
		}
	}()
	Eventually(t, SettleTime, "proxy and domain controller hold as many sessions as they should", ok)
}
