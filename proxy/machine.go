package proxy

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nspiproxy/nspiproxy/policy"
)

// Machine says what of a configuration does not fit the machine that this runs on. Where the
// configuration is for another one, that means nothing.
func Machine(config *policy.Config) []policy.Problem {
	m := machine{config: config}
	m.addresses()
	m.interfaces()
	m.folders()
	return m.notes
}

type machine struct {
	config *policy.Config
	notes  []policy.Problem
}

func (m *machine) note(path, found, expected string) {
	m.notes = append(m.notes, m.config.Problem(path, found, expected))
}

// addresses looks for the addresses of forward listeners.
func (m *machine) addresses() {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return // unknown
	}
	for i, l := range m.config.Listeners {
		if !l.Address.IsValid() || l.Address.IsLoopback() && l.Address.Is4() || mayComeLater(l.Address) {
			continue
		}
		here := func(a net.Addr) bool {
			p, err := netip.ParsePrefix(a.String())
			return err == nil && p.Addr().Unmap() == l.Address
		}
		if !slices.ContainsFunc(all, here) {
			m.note(fmt.Sprintf("listeners[%d].address", i), l.Address.String()+", which is no address of this machine",
				fmt.Sprintf("that it has it when the program starts: ip address add %v dev INTERFACE, with the length of its network", l.Address))
		}
	}
}

// mayComeLater reports whether sockets may have addresses that this machine does not have.
func mayComeLater(a netip.Addr) bool {
	family := "ipv4"
	if a.Is6() {
		family = "ipv6"
	}
	text, _ := os.ReadFile("/proc/sys/net/" + family + "/ip_nonlocal_bind") // elsewhere there is none
	return strings.TrimSpace(string(text)) == "1"
}

// interfaces looks for the interfaces of transparent listeners.
func (m *machine) interfaces() {
	all, err := net.Interfaces()
	if err != nil {
		return // unknown
	}
	for i := range m.config.Listeners {
		for n, name := range m.config.Listeners[i].Interfaces {
			if !slices.ContainsFunc(all, func(i net.Interface) bool { return name.Matches(i.Name) }) {
				m.note(fmt.Sprintf("listeners[%d].interfaces[%d]", i, n), string(name)+", and this machine has no such interface", "a name that `ip link` shows")
			}
		}
	}
}

// folders looks for the folders of what the program keeps, where it needs them.
func (m *machine) folders() {
	t := &m.config.Transparent
	if len(m.config.TransparentListeners()) == 0 {
		return
	}
	for path, file := range map[string]policy.File{"transparent.state_file": t.StateFile, "relay.connections_file": m.config.Relay.ConnectionsFile} {
		folder := filepath.Dir(string(file))
		if path == "relay.connections_file" && folder == filepath.Dir(string(t.StateFile)) {
			continue // was said
		}
		if info, err := os.Stat(folder); err != nil || !info.IsDir() {
			m.note(path, "'"+string(file)+"', and no folder "+folder,
				"a folder of the program's user: StateDirectory= in the unit makes it, or install -d -m 700 -o USER -g USER "+folder)
		} else if !writable(folder) {
			m.note(path, "'"+string(file)+"', in a folder that this user may not write", "to be run as the program's user, or its folder: chown -R USER: "+folder)
		}
	}
}
