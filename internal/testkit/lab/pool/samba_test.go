//go:build lab

package pool

import (
	"fmt"
	"testing"

	"github.com/nspiproxy/nspiproxy/internal/testkit/lab"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

// TestPoolOfDifferentDomainControllersServesSambasClient: a pool of Samba and two simulated ones, whose associations have the same
// ids. Samba's client, sealed and without keys at the proxy, opens sessions on all of them and second connections in its
// associations.
func TestPoolOfDifferentDomainControllersServesSambasClient(t *testing.T) {
	network := lab.StartNetwork(t)
	samba := lab.StartSambaOn(t, network.DCs[0])
	sims := []*lab.DC{
		lab.StartDC(t, lab.DCOptions{On: network.DCs[1]}),
		lab.StartDC(t, lab.DCOptions{On: network.DCs[1], Address: network.DCs[1].More(0).String()}),
	}
	proxy := lab.StartProxy(t, lab.ProxyOptions{On: network.Router, OrdinaryUser: true, Config: `version: 1
listeners:
  - {name: gc, mode: forward, address: 10.77.9.2, backends: [samba, sim1, sim2]}
backends:
  - {name: samba, address: 10.77.2.2}
  - {name: sim1, address: 10.77.4.2}
  - {name: sim2, address: 10.77.4.100}
policy: {default: {limit: 50}}
metrics: {address: 127.0.0.1:9135}
`})
	waitForPorts(t, proxy, "samba", "sim1", "sim2")
	held := func() (n [3]int) {
		n[0] = samba.Status(t).Sessions
		for i, dc := range sims {
			n[1+i] = dc.Count(t).Sessions
		}
		return n
	}
	client := lab.StartSambaClientOn(t, network.Clients[0], samba)
	stranger := lab.StartSambaClientOn(t, network.Clients[1], samba)
	port := nspiPort(t, network.Clients[0], proxy.Front)
	var logins []lab.SambaLogin
	var handles []string
	for n := range 6 {
		l := lab.SambaLogin{Address: proxy.Front, Port: port, Auth: "ntlm", SPNEGO: n%2 == 0, Level: "privacy", User: []lab.User{lab.Alice, lab.Bob}[n/3]}
		l.Group = lab.Expect(t, "connect", client.Connect(fmt.Sprint("first", n), l)).Group
		handles = append(handles, lab.Expect(t, "bind", client.Bind(fmt.Sprint("first", n))).Handle)
		logins = append(logins, l)
	}
	lab.Eventually(t, lab.SettleTime, "every domain controller has two sessions", func() bool { return held() == [3]int{2, 2, 2} })
	for n, l := range logins {
		second := fmt.Sprint("second", n)
		if a := lab.Expect(t, "join", client.Connect(second, l)); a.Group != l.Group {
			t.Errorf("joined association %d instead of %d", a.Group, l.Group)
		}
		lab.Expect(t, "bind", client.Bind(second))
		if a := lab.Expect(t, "unbind", client.Unbind(second, handles[n])); a.Status != uint32(nspi.UnbindSuccess) {
			t.Errorf("unbind: %+v", a)
		}
		if a := stranger.Connect("s", l); a.OK {
			t.Errorf("another machine has joined association %d: %+v", l.Group, a)
		}
	}
	checkBySamba(t, proxy, samba)
	lab.Eventually(t, lab.SettleTime, "every domain controller has two sessions", func() bool { return held() == [3]int{2, 2, 2} })
	client.Kill()
	stranger.Kill()
	lab.Eventually(t, lab.SettleTime, "no session is held", func() bool {
		return held() == [3]int{} && proxy.Metrics(t).Sum("nspiproxy_sessions_held") == 0
	})
}

// checkBySamba looks at what the real domain controller thinks: whose sessions they are, and where they come from.
func checkBySamba(t *testing.T, proxy *lab.Proxy, samba *lab.Samba) {
	t.Helper()
	lab.Eventually(t, lab.SettleTime, "the proxy agrees with Samba", func() bool {
		return proxy.BackendMetric(t, "sessions", "samba") == samba.Status(t).Sessions
	})
	status := samba.Status(t)
	if n := status.Users[samba.SID(t, lab.Alice.Name)] + status.Users[samba.SID(t, lab.Bob.Name)]; n != status.Sessions || n == 0 {
		t.Errorf("sessions of others: %+v", status)
	}
	for _, peer := range status.Peers {
		if want := samba.Machine().RouterAddress(); peer.Addr() != want {
			t.Errorf("Samba sees %v, want the proxy at %s", peer, want)
		}
	}
}
