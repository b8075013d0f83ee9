package backend

import (
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestNetworkOfAClient(t *testing.T) {
	for client, want := range map[string]string{
		"10.1.2.3": "10.1.2.0/24", "::ffff:10.1.2.3": "10.1.2.0/24", "2001:db8:1:2:3::4": "2001:db8:1:2::/64", "fe80::1%eth0": "fe80::/64",
	} {
		if got := clientNetwork(netip.MustParseAddr(client)); got.String() != want {
			t.Errorf("%s: %v, want %s", client, got, want)
		}
	}
}

// withClients is a set with one domain controller on a fake host.
func withClients(t *testing.T) (*fakeHost, *DC) {
	t.Helper()
	w := newFakeHost()
	s := w.set(Options{Prober: w.probe})
	run(t, s)
	synctest.Wait()
	return w, s.Members("dc1")[0]
}

var clientOne, clientTwo = netip.MustParseAddr("10.1.0.1"), netip.MustParseAddr("10.2.0.1")

func TestUnansweredClientsAreReportedOnceAndTheirEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, dc := withClients(t)
		dc.ClientUnanswered(clientOne, 7)
		time.Sleep(time.Hour) // and forgotten
		if w.has(ClientsUnanswered) || dc.UnansweredNetworks() != 0 {
			t.Error("one sign is enough")
		}
		for range 20 {
			dc.ClientUnanswered(clientOne, 7)
			dc.ClientUnanswered(clientTwo, 7)
			time.Sleep(10 * time.Second)
		}
		if n := count(w, ClientsUnanswered); n != 1 || dc.UnansweredNetworks() != 2 || dc.State() != Serving {
			t.Errorf("%d records, %d networks, %v", n, dc.UnansweredNetworks(), dc.State())
		}
		if reason := w.events[len(w.events)-1].Reason; !strings.Contains(reason, "10.1.0.0/24 to port 7") {
			t.Errorf("the reason is %q", reason)
		}
		if other := netip.MustParseAddr("10.3.0.1"); !dc.IsUnanswered(clientOne.Next()) || dc.IsUnanswered(other) {
			t.Error("clients of other networks are hardly answered, or one of the same is")
		}
		dc.ClientAnswered(clientOne)
		if w.has(ClientsAnswered) {
			t.Error("over, while one network is left")
		}
		dc.ClientAnswered(clientTwo)
		if count(w, ClientsAnswered) != 1 || dc.UnansweredNetworks() != 0 {
			t.Error("not over")
		}
	})
}

func TestUnansweredClientsAreNoNewsWhereThisMachineIsNotAnsweredEither(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, dc := withClients(t)
		w.becomes(dead, gone)
		for range 20 {
			dc.ClientUnanswered(clientOne, 7)
			time.Sleep(10 * time.Second)
		}
		if w.has(ClientsUnanswered) {
			t.Error("reported")
		}
	})
}

// A domain controller that is only slow answers a client while this machine tries.
func TestClientThatIsAnsweredMeanwhileIsNoNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, dc := withClients(t)
		for range 20 {
			dc.ClientUnanswered(clientOne, 7)
			dc.ClientUnanswered(clientOne, 7)
			time.Sleep(proveTime / 2)
			dc.ClientAnswered(clientOne)
			time.Sleep(10 * time.Second)
		}
		if w.has(ClientsUnanswered) {
			t.Error("reported")
		}
	})
}

// A client that is never let in, beside others of its network that are.
func TestNetworkOfWhichSomeClientsAreAnsweredMakesFewRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, dc := withClients(t)
		for n := range 3600 {
			dc.ClientUnanswered(clientOne, 7)
			if time.Sleep(5 * time.Second); n%20 == 0 {
				dc.ClientAnswered(clientOne)
			}
		}
		if n := count(w, ClientsUnanswered); n == 0 || n > 5 {
			t.Errorf("%d records in five hours", n)
		}
	})
}

func TestUnansweredClientsThatDoNotComeAgainAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, dc := withClients(t)
		dc.ClientUnanswered(clientOne, 7)
		dc.ClientUnanswered(clientOne, 7)
		time.Sleep(clientNetworkTime + 2*forgetInterval)
		if count(w, ClientsUnanswered) != 1 || count(w, ClientsAnswered) != 1 || dc.UnansweredNetworks() != 0 {
			t.Errorf("%q", w.kinds())
		}
		dc.ClientUnanswered(clientOne, 7)
		dc.ClientUnanswered(clientOne, 7)
		time.Sleep(time.Minute)
		if count(w, ClientsUnanswered) != 2 {
			t.Error("not noticed again")
		}
	})
}

func TestNetworksOfUnansweredClientsAreBounded(t *testing.T) {
	var p clientPaths
	for n := range 10 * maxClientNetworks {
		p.unanswered(netip.AddrFrom4([4]byte{10, byte(n >> 8), byte(n), 1}), 7, time.Unix(0, 0))
	}
	if len(p.nets) > maxClientNetworks {
		t.Errorf("%d networks", len(p.nets))
	}
}

// count is how many events of a kind were reported.
func count(w *fakeHost, kind Kind) (n int) {
	for _, k := range w.kinds() {
		if k == string(kind) {
			n++
		}
	}
	return n
}
