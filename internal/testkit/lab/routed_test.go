//go:build lab

package lab

import (
	"net"
	"net/netip"
	"strconv"
	"testing"
	"time"
)

func TestRoutedClientsAreSeenAsTheyAre(t *testing.T) {
	network := StartNetwork(t)
	for _, machine := range network.DCs {
		dc := StartDC(t, DCOptions{On: machine, Anonymous: true})
		for _, client := range network.Clients {
			for _, c := range []struct{ server, local, want netip.Addr }{
				{machine.Address, netip.Addr{}, client.Address},
				{machine.Address, client.More(0), client.More(0)},
				{machine.Address, client.More(99), client.More(99)},
				{machine.Address6, netip.Addr{}, client.Address6},
				{machine.Address6, client.More6(0), client.More6(0)},
				{machine.Address6, client.More6(99), client.More6(99)},
			} {
				checkSeen(t, dc, dialRouted(t, client, c.server, c.local), c.want)
			}
		}
	}
}

func TestRoutedAssociationsAreJoinedFromTheirOwnAddressOnly(t *testing.T) {
	network := StartNetwork(t)
	StartDC(t, DCOptions{On: network.DCs[0], Anonymous: true})
	joinedFromOwnAddressOnly(t, network)
}

func TestRoutedDomainControllerComesBackOnAnotherPort(t *testing.T) {
	network := StartNetwork(t)
	client, server := network.Clients[0], network.DCs[0].Address
	dc := StartDC(t, DCOptions{On: network.DCs[0], Anonymous: true, NSPIPort: 50001})
	for _, port := range []uint16{50001, 50002} {
		c := dialRouted(t, client, server, netip.Addr{})
		if at := ends(c).Server; at.Port() != port {
			t.Errorf("NSPI is on %s, want port %d", at, port)
		}
		bindSession(t, c)
		dc.Restart(t, 50002)
		if _, _, err := c.NspiBind(); err == nil {
			t.Error("the connection has survived the restart")
		}
		if got := dc.Count(t); got != (DCCount{}) {
			t.Errorf("after the restart there is %+v", got)
		}
	}
	if client.accepts(net.JoinHostPort(server.String(), strconv.Itoa(50001))) {
		t.Error("the old port is still open")
	}
}

// TestRoutedNamesAreKnown to programs on the machines, whatever this machine's own /etc/hosts has.
func TestRoutedNamesAreKnown(t *testing.T) {
	network := StartNetwork(t)
	StartDC(t, DCOptions{On: network.DCs[1]})
	client := StartImpacketOn(t, network.Clients[1])
	expect(t, "connect", client.Connect("a", Login{Address: "dc2.lab.test"}))
}

// TestRoutedCapturesAreOfOneCable: what passes the router is seen on the cables that it takes, and on no other.
func TestRoutedCapturesAreOfOneCable(t *testing.T) {
	network := StartNetwork(t)
	client, dc := network.Clients[0], network.DCs[0]
	StartDC(t, DCOptions{On: dc, Anonymous: true})
	captures := map[*Capture]int{ // how many PDUs of NspiBind are to be seen
		StartCaptureOn(t, network.Router, client, "tcp"):            2,
		StartCaptureOn(t, network.Router, network.DCs[1], "tcp"):    0,
		StartCaptureOn(t, dc, network.Router, "tcp"):                2,
		StartCaptureOn(t, network.Clients[1], network.Router, "ip"): 0,
	}
	c := dialRouted(t, client, dc.Address, netip.Addr{})
	bindSession(t, c)
	for capture, want := range captures {
		capture.Stop(t)
		if rows := Dissect(t, capture.File, "nspi.opnum == 0", "ip.src", "ip.dst"); len(rows) != want {
			t.Errorf("NspiBind passes as %v, want %d packets", rows, want)
		}
	}
}

func TestRoutedEndpointMapperMayBeSlow(t *testing.T) {
	const delay = 300 * time.Millisecond
	network := StartNetwork(t)
	dc := StartDC(t, DCOptions{On: network.DCs[0], Anonymous: true, MapDelay: delay, MorePorts: 1})
	begin := time.Now()
	c := dialRouted(t, network.Clients[0], network.DCs[0].Address, netip.Addr{})
	if took := time.Since(begin); took < delay {
		t.Errorf("the endpoint mapper has answered after %s, want %s at least", took, delay)
	}
	bindSession(t, c)
	if n := dc.Count(t).Sessions; n != 1 {
		t.Errorf("%d sessions, want 1", n)
	}
}
