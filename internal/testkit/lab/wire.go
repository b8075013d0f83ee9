package lab

import (
	"fmt"
	"testing"
)

// A machine's cable has a switch in its middle, a bridge in a namespace of its own, with a port towards the router and one
// towards the machine. So it can fail as cables do: neither end is switched off, and addresses and routes stay.
//
//	router ── r-NAME [NAME] m-NAME ── eth0 of NAME

// cable are the lines of ip that lay the machine's cable.
func (m *Machine) cable() []string {
	lines := []string{
		// Snooping would need a querier to let IPv6 find its neighbours.
		"link add name " + m.Name + " type bridge mcast_snooping 0",
		fmt.Sprintf("link add name r-%s type veth peer name %s netns %s", m.Name, m.Name, m.network.Router.ns.Path()),
		fmt.Sprintf("link add name m-%s type veth peer name eth0 netns %s", m.Name, m.ns.Path()),
		"link set dev " + m.Name + " up",
	}
	for _, port := range m.ports() {
		lines = append(lines, "link set dev "+port+" master "+m.Name, "link set dev "+port+" up")
	}
	return lines
}

func (m *Machine) ports() []string { return []string{"r-" + m.Name, "m-" + m.Name} }

// Cut cuts the machine's cable: the interfaces at both ends lose their carrier, and with it all that is on the way.
func (m *Machine) Cut(t testing.TB) { t.Helper(); m.ip(t, "link set dev %s down") }

// Silence makes the machine's cable lose all packets while the interfaces at both ends notice nothing, as when a switch on
// the way fails.
func (m *Machine) Silence(t testing.TB) { t.Helper(); m.forward(t, "0") }

// Mend ends what Cut began.
func (m *Machine) Mend(t testing.TB) { t.Helper(); m.ip(t, "link set dev %s up") }

// Speak ends what Silence began.
func (m *Machine) Speak(t testing.TB) { t.Helper(); m.forward(t, "3") }

// ip runs a line of ip for each port of the machine's switch.
func (m *Machine) ip(t testing.TB, line string) {
	t.Helper()
	var lines []string
	for _, port := range m.ports() {
		lines = append(lines, fmt.Sprintf(line, port))
	}
	if err := m.network.cables.Batch(lines...); err != nil {
		t.Fatal(err)
	}
}

// forward sets the state of the machine's switch: 0 for forwarding nothing, 3 for forwarding.
func (m *Machine) forward(t testing.TB, state string) {
	t.Helper()
	for _, port := range m.ports() {
		if _, err := m.network.cables.Run("bridge", "link", "set", "dev", port, "state", state); err != nil {
			t.Fatal(err)
		}
	}
}
