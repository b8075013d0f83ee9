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

// Switched is a network of two switches, with one machine or more between the two:
//
//	client1 ──┐                        ┌── dc1
//	          ├── eth0 between1 eth1 ──┤
//	client2 ──┘                        └── dc2
//
// Clients have the addresses 10.77.N.11 and .12, domain controllers 10.77.M.21 and .22, and of IPv6 fd77:N::b and so on,
// which is the same in hexadecimal. Where both switches are parts of one IP network, N is M, and the machines between have no
// addresses at first. Else they have 10.77.N.251 and 10.77.M.251, the second of them .252, and all others a default route to .1,
// which is on no machine at first. Nothing listens, nothing is filtered, and nothing is forwarded.
type Switched struct {
	Clients [2]*Machine
	DCs     [2]*Machine
	Between []*Machine

	cables *netns.Namespace
}

// The switches, as bridges in the namespace of cables, and what is on which.
const (
	switchClients = "clients"
	switchDCs     = "dcs"
)

// Hosts of the switched networks' machines.
const (
	hostClient  = 11
	hostDC      = 21
	hostGateway = 1
	hostBetween = 251
)

// StartSwitched makes the network, with N and M as above. It ends with the test, as [StartNetwork]'s does.
func StartSwitched(t testing.TB, clients, dcs, between int) *Switched {
	t.Helper()
	s := &Switched{cables: namespace(t)}
	hosts := filepath.Join(t.TempDir(), "hosts")
	machine := func(name string, number, host int) *Machine {
		return &Machine{Name: name, Address: address(number, host), Address6: address6(number, host), number: number, hosts: hosts, ns: namespace(t)}
	}
	for n := range 2 {
		s.Clients[n] = machine(fmt.Sprintf("client%d", n+1), clients, hostClient+n)
		s.DCs[n] = machine(fmt.Sprintf("dc%d", n+1), dcs, hostDC+n)
	}
	for n := range between {
		s.Between = append(s.Between, machine(fmt.Sprintf("between%d", n+1), clients, hostBetween+n))
	}
	if err := os.WriteFile(hosts, []byte("127.0.0.1 localhost\n::1 localhost\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := s.build(clients, dcs); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *Switched) build(clients, dcs int) error {
	if err := s.cables.Batch("link add name "+switchClients+" up type bridge mcast_snooping 0",
		"link add name "+switchDCs+" up type bridge mcast_snooping 0"); err != nil {
		return err
	}
	for n := range 2 {
		if err := s.connect(s.Clients[n], "eth0", switchClients, clients, s.Clients[n].Address, s.Clients[n].Address6); err != nil {
			return err
		}
		if err := s.connect(s.DCs[n], "eth0", switchDCs, dcs, s.DCs[n].Address, s.DCs[n].Address6); err != nil {
			return err
		}
	}
	for _, m := range append(s.Clients[:], s.DCs[:]...) {
		if err := s.leadOut(m, clients != dcs); err != nil {
			return err
		}
	}
	for n, m := range s.Between {
		addr, addr6 := m.Address, m.Address6
		other, other6 := address(dcs, hostBetween+n), address6(dcs, hostBetween+n)
		if clients == dcs {
			addr, addr6, other, other6 = netip.Addr{}, netip.Addr{}, netip.Addr{}, netip.Addr{}
		}
		if err := s.connect(m, "eth0", switchClients, clients, addr, addr6); err != nil {
			return err
		}
		if err := s.connect(m, "eth1", switchDCs, dcs, other, other6); err != nil {
			return err
		}
	}
	return nil
}

// connect lays a cable from an interface of a machine to a switch, and gives the interface addresses if they are valid.
func (s *Switched) connect(m *Machine, device, to string, number int, addr, addr6 netip.Addr) error {
	if device == "eth0" {
		if err := m.setSysctls(false); err != nil {
			return err
		}
	}
	port := m.port(device)
	err := s.cables.Batch(fmt.Sprintf("link add name %s type veth peer name %s netns %s", port, device, m.ns.Path()),
		"link set dev "+port+" master "+to+" up")
	if err != nil {
		return err
	}
	var lines []string
	if addr.IsValid() {
		lines = append(lines, fmt.Sprintf("addr add %s/24 dev %s", addr, device), fmt.Sprintf("addr add %s/64 dev %s nodad", addr6, device))
	}
	return m.ns.Batch(append(lines, "link set dev "+device+" up")...)
}

// leadOut gives a machine a default route, if its network has a way out.
func (s *Switched) leadOut(m *Machine, out bool) error {
	if !out {
		return nil
	}
	return m.ns.Batch(fmt.Sprintf("route add default via %s dev eth0 onlink", address(m.number, hostGateway)),
		fmt.Sprintf("route add default via %s dev eth0 onlink", address6(m.number, hostGateway)))
}

// port is the switch's end of a machine's cable.
func (m *Machine) port(device string) string {
	return strings.Replace(m.Name, "between", "b", 1) + "-" + device
}

// Cut cuts cables of a machine, in the order of its interfaces: it and the switches lose the carrier.
func (s *Switched) Cut(t testing.TB, m *Machine, devices ...string) {
	t.Helper()
	s.setPorts(t, m, devices, "down")
}

// Mend ends what Cut began.
func (s *Switched) Mend(t testing.TB, m *Machine, devices ...string) {
	t.Helper()
	s.setPorts(t, m, devices, "up")
}

func (s *Switched) setPorts(t testing.TB, m *Machine, devices []string, state string) {
	t.Helper()
	for _, device := range devices {
		if err := s.cables.Batch("link set dev " + m.port(device) + " " + state); err != nil {
			t.Fatal(err)
		}
	}
}
