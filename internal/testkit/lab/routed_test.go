//go:build lab

package lab

import (
	"net"
	"net/netip"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/internal/testkit/lab/rawnspi"
	"github.com/nspiproxy/nspiproxy/internal/testkit/simdc"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

// dialRouted connects a machine to NSPI on server, where the endpoint mapper there says, from local if that is valid. The
// connection ends with the test.
func dialRouted(t *testing.T, on *Machine, server, local netip.Addr) *rawnspi.Client {
	t.Helper()
	port, err := on.mapPort(server.String())
	if err != nil {
		t.Fatalf("%s asks %s: %v", on.Name, server, err)
	}
	conn, err := on.Dial(netip.AddrPortFrom(server, port).String(), local)
	if err != nil {
		t.Fatalf("%s connects to %s: %v", on.Name, server, err)
	}
	t.Cleanup(func() { conn.Close() })
	return rawnspi.New(conn)
}

// ends are both ends of a connection, as the client has them.
func ends(c *rawnspi.Client) simdc.Peer {
	return simdc.Peer{
		Client: c.Conn.LocalAddr().(*net.TCPAddr).AddrPort(), Server: c.Conn.RemoteAddr().(*net.TCPAddr).AddrPort(),
	}
}

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

// checkSeen opens a session on c, and holds what the domain controller and its kernel tell about it to c's own ends.
func checkSeen(t *testing.T, dc *DC, c *rawnspi.Client, want netip.Addr) {
	t.Helper()
	at := ends(c)
	if at.Client.Addr() != want {
		t.Errorf("the client is %s, want %s", at.Client, want)
	}
	bindSession(t, c)
	peers := dc.Peers(t)
	if !slices.Contains(peers.Connections, at) || peers.Sessions[at.Client] != 1 {
		t.Errorf("the domain controller sees %v instead of %v", peers, at)
	}
	if flows := dc.options.On.Flows(t); !slices.Contains(flows, Flow{Local: at.Server, Peer: at.Client}) {
		t.Errorf("the domain controller's kernel sees %v instead of %v", flows, at)
	}
}

func TestRoutedAssociationsAreJoinedFromTheirOwnAddressOnly(t *testing.T) {
	network := StartNetwork(t)
	StartDC(t, DCOptions{On: network.DCs[0], Anonymous: true})
	joinedFromOwnAddressOnly(t, network)
}

// joinedFromOwnAddressOnly joins an association on the first domain controller from its owner's address, and from three others.
func joinedFromOwnAddressOnly(t *testing.T, network *Network) {
	t.Helper()
	dc, client := network.DCs[0], network.Clients[0]
	owner := dialRouted(t, client, dc.Address, netip.Addr{})
	handle := bindSession(t, owner)
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
		if err := dialRouted(t, c.on, c.server, c.local).Bind(owner.Group); (err == nil) != c.joins {
			t.Errorf("%s: %v", c.what, err)
		}
	}
	if code, err := owner.NspiUnbind(handle); err != nil || code != nspi.UnbindSuccess {
		t.Errorf("NspiUnbind: %s, %v", code, err)
	}
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
