package lab

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nspiproxy/nspiproxy/internal/testkit/lab/netns"
)

// Network is a routed network of machines, each in a network namespace of its own on this one:
//
//	client1 ──┐            ┌── dc1
//	          ├── router ──┤
//	client2 ──┘            └── dc2
//
// Every machine but the router has one interface, eth0, with the addresses 10.77.N.2 and fd77:N::2 and a default route to the
// router, which is 10.77.N.1 and fd77:N::1 there, forwards, and calls its interfaces as the machines at their other ends. All
// know each other by name: dc1.lab.test, and proxy.lab.test for the router's address of its own. Nothing listens at first, and
// nothing is filtered.
type Network struct {
	Clients [2]*Machine
	DCs     [2]*Machine
	Router  *Machine // where a proxy in the path runs

	cables *netns.Namespace // one bridge for each machine but the router, as a switch between the two
}

// A machine's addresses: those of its own, and morePerMachine further ones, so that one machine can be many clients.
const (
	hostRouter = 1
	hostOwn    = 2
	hostMore   = 100

	morePerMachine = 100
)

// routerNumber is N for the router's own addresses, which are on no wire: in front of it, a proxy that clients are pointed at
// is the same from everywhere.
const routerNumber = 9

// StartNetwork makes the network. It ends with the test, or with this process however that ends: the kernel takes away a
// namespace that nobody uses.
func StartNetwork(t testing.TB) *Network {
	t.Helper()
	n := &Network{}
	hosts := filepath.Join(t.TempDir(), "hosts")
	machine := func(name string, number int) *Machine {
		return &Machine{
			Name: name, Address: address(number, hostOwn), Address6: address6(number, hostOwn),
			number: number, hosts: hosts, network: n, ns: namespace(t),
		}
	}
	n.cables = namespace(t)
	n.Router = machine("router", routerNumber)
	n.Clients = [2]*Machine{machine("client1", 1), machine("client2", 3)}
	n.DCs = [2]*Machine{machine("dc1", 2), machine("dc2", 4)}
	if err := os.WriteFile(hosts, []byte(n.hosts()), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := n.build(); err != nil {
		t.Fatal(err)
	}
	return n
}

func namespace(t testing.TB) *netns.Namespace {
	t.Helper()
	ns, err := netns.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(ns.Close)
	return ns
}

// ends are all machines but the router.
func (n *Network) ends() []*Machine {
	return []*Machine{n.Clients[0], n.Clients[1], n.DCs[0], n.DCs[1]}
}

// build makes the interfaces, which are what differs between namespaces.
func (n *Network) build() error {
	var cables, router []string
	for _, m := range n.ends() {
		cables = append(cables, m.cable()...)
		router = append(router,
			fmt.Sprintf("addr add %s/24 dev %s", address(m.number, hostRouter), m.Name),
			fmt.Sprintf("addr add %s/64 dev %s nodad", address6(m.number, hostRouter), m.Name),
			"link set dev "+m.Name+" up")
	}
	for _, m := range append(n.ends(), n.Router) {
		if err := m.setSysctls(m == n.Router); err != nil {
			return err
		}
	}
	if err := n.cables.Batch(cables...); err != nil {
		return err
	}
	if err := n.Router.ns.Batch(append(router, n.Router.addresses("lo", 32, 128)...)...); err != nil {
		return err
	}
	for _, m := range n.ends() {
		lines := append(m.addresses("eth0", 24, 64), "link set dev eth0 up",
			"route add default via "+address(m.number, hostRouter).String()+" dev eth0 onlink",
			// Until the carrier is noticed, IPv6 has no route to the router that this could be checked against.
			"route add default via "+address6(m.number, hostRouter).String()+" dev eth0 onlink")
		if err := m.ns.Batch(lines...); err != nil {
			return err
		}
	}
	return nil
}

// hosts is the /etc/hosts of all machines.
func (n *Network) hosts() string {
	var b strings.Builder
	fmt.Fprintf(&b, "127.0.0.1 localhost\n::1 localhost\n%s proxy.lab.test\n%s proxy.lab.test\n", n.Router.Address, n.Router.Address6)
	for _, m := range n.ends() {
		fmt.Fprintf(&b, "%s %s.lab.test\n%s %s.lab.test\n", m.Address, m.Name, m.Address6, m.Name)
	}
	return b.String()
}

// address is 10.77.N.H.
func address(number, host int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, 77, byte(number), byte(host)})
}

// address6 is fd77:N::H.
func address6(number, host int) netip.Addr {
	return netip.AddrFrom16([16]byte{0: 0xfd, 1: 0x77, 3: byte(number), 15: byte(host)})
}
