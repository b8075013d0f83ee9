//go:build lab

package samba

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/nspiproxy/nspiproxy/internal/testkit/lab"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

// door is the interface of Samba's on whose port NSPI can be bound, too, and is not named. NETLOGON has a process of its own.
const door = "samr"

// TestPathOtherInterfacesOfSambaWorkAndAreNoWayAround: Samba serves NSPI and the others in one process. What members and
// other domain controllers do with the others, sealed and in secure channels, has the same results through the proxy as on a
// direct way; NSPI bound there is followed as anywhere.
func TestPathOtherInterfacesOfSambaWorkAndAreNoWayAround(t *testing.T) {
	network := lab.StartNetwork(t)
	samba := lab.StartSambaOn(t, network.DCs[0])
	for mode := range lab.Modes {
		t.Run(mode, func(t *testing.T) { otherInterfaces(t, network, samba, mode) })
	}
}

func otherInterfaces(t *testing.T, network *lab.Network, samba *lab.Samba, mode string) {
	t.Helper()
	const limit = 2
	taken, passed := network.Clients[0], network.Clients[1]
	o := lab.PathOptions{Mode: mode, WhenDown: "closed", Limit: limit, Samba: samba, Listed: network.DCs[:1], Clients: []*lab.Machine{taken},
		Folder: lab.OrdinaryFolder(t)}
	o.More = fmt.Sprintf("identity:\n  keytabs: [%s, %s]\n", // the proxy follows what it has keys for
		lab.CopyPrivate(t, samba.MachineKeytab(), o.Folder), lab.CopyPrivate(t, samba.File("users.keytab"), o.Folder))
	proxy := lab.StartPath(t, network, o)
	others := lab.ProcessPorts(t, network.DCs[0])
	if len(others) < 2 || len(lab.ProcessPorts(t, network.DCs[0], door)) == 0 {
		t.Fatalf("other interfaces have the ports %v", others)
	}
	for _, port := range others {
		at := netip.AddrPortFrom(network.DCs[0].Address, port)
		lab.Eventually(t, lab.SettleTime, "the kernel leads other interfaces to the proxy", func() bool { return slices.Contains(proxy.Learnt(t), at) })
	}
	sameCalls(t, proxy, samba, passed, taken)

	client := lab.StartSambaClientOn(t, taken, samba)
	for _, port := range lab.ProcessPorts(t, network.DCs[0], door) {
		bindPastTheLimit(t, proxy, samba, client, int(port), limit)
	}
}

// sameCalls compares what calls find out on a direct way and through the proxy.
func sameCalls(t *testing.T, proxy *lab.PathProxy, samba *lab.Samba, direct, through *lab.Machine) {
	t.Helper()
	want, err := samba.ProcessCalls(t, direct)
	if err != nil {
		t.Fatal(err)
	}
	before := proxy.Taken(t)
	got, err := samba.ProcessCalls(t, through)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, want) {
		t.Errorf("directly\n%s\nthrough the proxy\n%s", strings.Join(want, "\n"), strings.Join(got, "\n"))
	}
	for _, line := range want {
		if strings.Contains(line, "failed") {
			t.Errorf("%s", line)
		}
	}
	// Each asks the endpoint mapper, then calls the interface; secure channels are made on a connection of their own.
	if n := proxy.Taken(t) - before; n < 2*len(got) {
		t.Errorf("%d connections have come to the proxy, want %d at least", n, 2*len(got))
	}
	m := proxy.Metrics(t)
	for _, metric := range []string{"nspiproxy_protocol_errors_total", "nspiproxy_irregular_pdus_total", "nspiproxy_association_refusals_total"} {
		if n := m.Sum(metric); n != 0 {
			t.Errorf("%s is %v", metric, n)
		}
	}
	const contexts = "nspiproxy_security_contexts_total"
	if found, none := m.Sum(contexts, `result="key_found"`), m.Sum(contexts, `result="no_key"`); found != 2 || m.Sum(contexts) != found+none {
		t.Errorf("keys are found for %v security contexts and not for %v, of %v: want the two of Kerberos, those of NTLM, and no secure channel",
			found, none, m.Sum(contexts))
	}
}

// bindPastTheLimit binds NSPI on a port of another interface: as many times as may be, and once more.
func bindPastTheLimit(t *testing.T, proxy *lab.PathProxy, samba *lab.Samba, client *lab.SambaClient, port, limit int) {
	t.Helper()
	login := lab.SambaLogin{Address: samba.Address, Port: port, Auth: "ntlm", Level: "connect", User: lab.Alice}
	lab.Expect(t, "connect", client.Connect("a", login))
	for range limit {
		lab.Expect(t, "bind", client.Bind("a"))
	}
	before := samba.Status(t)
	if refused := client.Bind("a"); refused.Kind != lab.KindStatus || refused.Status != uint32(nspi.LogonFailed) {
		t.Errorf("a bind past the limit on port %d: %+v", port, refused)
	}
	if after := samba.Status(t); after.Granted != before.Granted || after.Refused != before.Refused {
		t.Errorf("the refused bind has reached the domain controller: %+v, then %+v", before, after)
	}
	lab.CheckSambaHeld(t, proxy.Proxy, samba, limit)
	lab.Expect(t, "close", client.Close("a"))
	lab.CheckSambaHeld(t, proxy.Proxy, samba, 0)
}

// TestPathOtherInterfacesOfSambaAreAWayAroundWhereTheyAreNotTaken: what the page says of same_process false.
func TestPathOtherInterfacesOfSambaAreAWayAroundWhereTheyAreNotTaken(t *testing.T) {
	network := lab.StartNetwork(t)
	samba := lab.StartSambaOn(t, network.DCs[0])
	proxy := lab.StartPath(t, network, lab.PathOptions{Mode: "tproxy", WhenDown: "open", Limit: 1, Samba: samba, Listed: network.DCs[:1]})
	client := lab.StartSambaClientOn(t, network.Clients[0], samba)
	login := lab.SambaLogin{Address: samba.Address, Auth: "ntlm", Level: "connect", User: lab.Alice}
	lab.Expect(t, "connect", client.Connect("honest", login))
	lab.Expect(t, "bind", client.Bind("honest"))
	login.Port = int(lab.ProcessPorts(t, network.DCs[0], door)[0])
	proxy.CheckTaken(t, 0, func() {
		lab.Expect(t, "connect", client.Connect("past", login))
		lab.Expect(t, "bind", client.Bind("past"))
	})
	if n := samba.Status(t).Sessions; n != 2 {
		t.Errorf("the domain controller has %d sessions, want 2", n)
	}
	lab.Expect(t, "close", client.Close("past"))
	lab.Expect(t, "close", client.Close("honest"))
}
