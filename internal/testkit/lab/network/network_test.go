//go:build lab

package network

import (
	"net"
	"net/netip"
	"strconv"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/internal/testkit/lab"
)

func TestRoutedClientsAreSeenAsTheyAre(t *testing.T) {
	network := lab.StartNetwork(t)
	for _, machine := range network.DCs {
		dc := lab.StartDC(t, lab.DCOptions{On: machine, Anonymous: true})
		for _, client := range network.Clients {
			for _, c := range []struct{ server, local, want netip.Addr }{
				{machine.Address, netip.Addr{}, client.Address},
				{machine.Address, client.More(0), client.More(0)},
				{machine.Address, client.More(99), client.More(99)},
				{machine.Address6, netip.Addr{}, client.Address6},
				{machine.Address6, client.More6(0), client.More6(0)},
				{machine.Address6, client.More6(99), client.More6(99)},
			} {
				lab.CheckSeen(t, dc, lab.DialFrom(t, client, c.server, c.local), c.want)
			}
		}
	}
}

func TestRoutedAssociationsAreJoinedFromTheirOwnAddressOnly(t *testing.T) {
	network := lab.StartNetwork(t)
	lab.StartDC(t, lab.DCOptions{On: network.DCs[0], Anonymous: true})
	lab.CheckJoinedFromOwnAddressOnly(t, network)
}

func TestRoutedDomainControllerComesBackOnAnotherPort(t *testing.T) {
	network := lab.StartNetwork(t)
	client, server := network.Clients[0], network.DCs[0].Address
	dc := lab.StartDC(t, lab.DCOptions{On: network.DCs[0], Anonymous: true, NSPIPort: 50001})
	for _, port := range []uint16{50001, 50002} {
		c := lab.DialFrom(t, client, server, netip.Addr{})
		if at := lab.EndsOf(c).Server; at.Port() != port {
			t.Errorf("NSPI is on %s, want port %d", at, port)
		}
		lab.OpenSession(t, c)
		dc.Restart(t, 50002)
		if _, _, err := c.NspiBind(); err == nil {
			t.Error("the connection has survived the restart")
		}
		if got := dc.Count(t); got != (lab.DCCount{}) {
			t.Errorf("after the restart there is %+v", got)
		}
	}
	if client.Accepts(net.JoinHostPort(server.String(), strconv.Itoa(50001))) {
		t.Error("the old port is still open")
	}
}

// TestRoutedNamesAreKnown to programs on the machines, whatever this machine's own /etc/hosts has.
func TestRoutedNamesAreKnown(t *testing.T) {
	network := lab.StartNetwork(t)
	lab.StartDC(t, lab.DCOptions{On: network.DCs[1]})
	client := lab.StartImpacketOn(t, network.Clients[1])
	lab.Expect(t, "connect", client.Connect("a", lab.Login{Address: "dc2.lab.test"}))
}

// TestRoutedCapturesAreOfOneCable: what passes the router is seen on the cables that it takes, and on no other.
func TestRoutedCapturesAreOfOneCable(t *testing.T) {
	network := lab.StartNetwork(t)
	client, dc := network.Clients[0], network.DCs[0]
	lab.StartDC(t, lab.DCOptions{On: dc, Anonymous: true})
	captures := map[*lab.Capture]int{ // how many PDUs of NspiBind are to be seen
		lab.StartCaptureOn(t, network.Router, client, "tcp"):            2,
		lab.StartCaptureOn(t, network.Router, network.DCs[1], "tcp"):    0,
		lab.StartCaptureOn(t, dc, network.Router, "tcp"):                2,
		lab.StartCaptureOn(t, network.Clients[1], network.Router, "ip"): 0,
	}
	c := lab.DialFrom(t, client, dc.Address, netip.Addr{})
	lab.OpenSession(t, c)
	for capture, want := range captures {
		capture.Stop(t)
		if rows := lab.Dissect(t, capture.File, "nspi.opnum == 0", "ip.src", "ip.dst"); len(rows) != want {
			t.Errorf("NspiBind passes as %v, want %d packets", rows, want)
		}
	}
}

func TestRoutedEndpointMapperMayBeSlow(t *testing.T) {
	const delay = 300 * time.Millisecond
	network := lab.StartNetwork(t)
	dc := lab.StartDC(t, lab.DCOptions{On: network.DCs[0], Anonymous: true, MapDelay: delay, MorePorts: 1})
	begin := time.Now()
	c := lab.DialFrom(t, network.Clients[0], network.DCs[0].Address, netip.Addr{})
	if took := time.Since(begin); took < delay {
		t.Errorf("the endpoint mapper has answered after %s, want %s at least", took, delay)
	}
	lab.OpenSession(t, c)
	if n := dc.Count(t).Sessions; n != 1 {
		t.Errorf("%d sessions, want 1", n)
	}
}
