//go:build lab

package pool

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/nspiproxy/nspiproxy/internal/testkit/lab"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

const unlimited = "policy: {default: {limit: unlimited}}\n"

// TestPoolGivesNewAssociationsToTheDomainControllerWithTheFewestSessions, from whatever machine and by whatever family they
// come.
func TestPoolGivesNewAssociationsToTheDomainControllerWithTheFewestSessions(t *testing.T) {
	s := startPool(t, lab.DCOptions{Anonymous: true}, unlimited)
	var open []*lab.Conn
	for n, machine := range []*lab.Machine{s.Clients[0], s.Clients[1], s.Clients[1], s.Clients[0]} {
		for _, local := range []netip.Addr{machine.Address, machine.More6(n)} {
			open = append(open, s.session(t, machine, local))
		}
	}
	s.checkHeld(t, 4, 4)
	for range 6 { // one association may become much larger than the others
		lab.OpenSession(t, open[0])
	}
	full := 0
	if s.dcs[1].Count(t).Sessions == 10 {
		full = 1
	}
	want := [2]int{4, 4}
	want[full] = 10
	s.checkHeld(t, want[:]...)
	for range 6 {
		open = append(open, s.session(t, s.Clients[1], netip.Addr{}))
		want[1-full]++
		s.checkHeld(t, want[:]...)
	}
	for _, c := range open {
		c.Close()
	}
	s.checkNobodyLeft(t)
}

// poolMember is an association of a real client with a session in it.
type poolMember struct {
	conn, handle string
	login        lab.Login // that joins it
}

// TestPoolLeadsRealClientsToTheirAssociations: both domain controllers number their associations alike, and clients with and
// without sealing open second connections in them, whatever the load.
func TestPoolLeadsRealClientsToTheirAssociations(t *testing.T) {
	s := startPool(t, lab.DCOptions{}, unlimited)
	client, other := lab.StartImpacketOn(t, s.Clients[0]), lab.StartImpacketOn(t, s.Clients[1])
	port := nspiPort(t, s.Clients[0], s.Router.Address.String())
	members := joinableMembers(t, s, client, port)
	s.checkHeld(t, len(members)/2, len(members)/2)
	for n, m := range members {
		second := fmt.Sprint("second", n)
		a := lab.Expect(t, "join", client.Connect(second, m.login))
		if a.Group != m.login.Group {
			t.Errorf("%s: joined association %d instead of %d", m.conn, a.Group, m.login.Group)
		}
		lab.Expect(t, "query of the first connection's session", client.Query(second, m.handle))
		handle := lab.Expect(t, "bind", client.Bind(second)).Handle
		lab.Expect(t, "close the first", client.Close(m.conn, n%2 == 0))
		lab.Expect(t, "query", client.Query(second, m.handle))
		for _, h := range []string{m.handle, handle} {
			if a := lab.Expect(t, "unbind", client.Unbind(second, h)); a.Status != uint32(nspi.UnbindSuccess) {
				t.Errorf("unbind: %+v", a)
			}
		}
		if a := other.Connect("stranger", m.login); a.OK || a.Kind != lab.KindNak {
			t.Errorf("another machine joins association %d: %+v", m.login.Group, a)
		}
		lab.Expect(t, "close the stranger's", other.Close("stranger", false))
		lab.Expect(t, "bind, whatever the stranger tried", client.Bind(second))
		lab.Expect(t, "close", client.Close(second, false))
	}
	for n := range 4 { // what else they have is mapped to the one that names it
		conn, login := fmt.Sprint("rfri", n), lab.Cleartext.At(s.Router.Address.String())
		login.Interface = "rfri"
		lab.Expect(t, "connect to the referral interface", client.Connect(conn, login))
		lab.Expect(t, "refer", client.Refer(conn))
		lab.Expect(t, "close", client.Close(conn, false))
	}
	s.checkNobodyLeft(t)
	if n := s.proxy.Metrics(t).Sum("nspiproxy_association_refusals_total", `reason="foreign"`); int(n) != len(members) {
		t.Errorf("%v attempts to join another's association are counted, want %d", n, len(members))
	}
}

// poolWays are those in which the members of a pool bind.
var poolWays = []lab.Variant{lab.NTLMConnect, lab.NTLMPrivacy, lab.SPNEGOConnect, lab.SPNEGOPrivacy, lab.SPNEGOPrivacyNDR64}

// joinableMembers opens associations until some have the same id on both domain controllers, and as many on each.
func joinableMembers(t *testing.T, s *poolStage, client *lab.Impacket, port int) (members []poolMember) {
	t.Helper()
	names := map[uint32]bool{}
	renamed := 0
	for n := range 2 * len(poolWays) {
		m := poolMember{conn: fmt.Sprint("first", n), login: poolWays[n/2].At(s.Router.Address.String())}
		m.login.Port = port
		m.login.Group = lab.Expect(t, "connect", client.Connect(m.conn, m.login)).Group
		m.handle = lab.Expect(t, "bind", client.Bind(m.conn)).Handle
		lab.Expect(t, "query", client.Query(m.conn, m.handle))
		if names[m.login.Group] {
			t.Errorf("two associations are called %d", m.login.Group)
		}
		names[m.login.Group] = true
		if m.login.Group > largestID {
			renamed++
		}
		members = append(members, m)
	}
	if renamed == 0 {
		t.Fatalf("no two associations have the same id: %v", names)
	}
	return members
}

// largestID is more associations than the domain controllers of a test have had.
const largestID = 1000
