package policy

import (
	"fmt"
	"net/netip"
	"path"
)

// socket is a TCP port that the program takes, or a domain controller's.
type socket struct {
	addr netip.AddrPort // unspecified: on all addresses of the family
	path string         // of the key that has it
	what string         // "listener path", "backend dc1"
}

// overlaps reports whether two sockets cannot be told apart.
func (s socket) overlaps(other netip.AddrPort) bool {
	a, b := s.addr.Addr(), other.Addr()
	return s.addr.Port() == other.Port() && a.Is4() == b.Is4() && (a == b || a.IsUnspecified() || b.IsUnspecified())
}

// sockets lists the TCP ports that listeners take from the start, and those of the
// backends.
func (v *validator) sockets() (list []socket) {
	for i := range v.cfg.Listeners {
		l, at := &v.cfg.Listeners[i], fmt.Sprintf("listeners[%d]", i)
		add := func(a netip.Addr, port uint16, key string) {
			list = append(list, socket{netip.AddrPortFrom(a, port), at + key, "listener " + l.Name})
		}
		switch {
		case l.Mode.Transparent():
			for _, a := range l.LocalAddresses() {
				add(a, l.Port, ".port")
			}
		case l.Address.IsValid():
			for _, port := range v.cfg.fixedPorts(l) {
				add(l.Address, port, ".address")
			}
		}
	}
	for i := range v.cfg.Backends {
		b := &v.cfg.Backends[i]
		for at, a := range b.addresses(fmt.Sprintf("backends[%d]", i)) {
			list = append(list, socket{netip.AddrPortFrom(a, b.EPMPort), at, "backend " + b.Name},
				socket{netip.AddrPortFrom(a, b.NSPIPort), at, "backend " + b.Name})
		}
	}
	return list
}

// metricsCollision reports metrics on a port that is taken. A transparent listener takes
// its port where the kernel leads packets to, see [Listener.LocalAddresses].
func (v *validator) metricsCollision() {
	metrics := v.cfg.Metrics.Address
	metrics = netip.AddrPortFrom(metrics.Addr().Unmap(), metrics.Port())
	for _, s := range v.sockets() {
		if s.overlaps(metrics) {
			v.problem("metrics.address", fmt.Sprintf("%v, which %s has on line %d", metrics, s.what, v.places[s.path].line), "an address and port that no listener and no backend has")
			return
		}
	}
}

// maxSocketPath is the greatest length of the name of a socket in bytes (unix(7), without
// the NUL at its end).
const maxSocketPath = 107

// writtenFiles checks that the files which the program writes are no others that it
// reads or writes.
func (v *validator) writtenFiles() {
	t := &v.cfg.Transparent
	state := string(t.StateFile)
	written := map[string]string{path.Clean(string(v.cfg.Relay.ConnectionsFile)): "relay.connections_file"}
	if len(v.cfg.TransparentListeners()) > 0 {
		for _, file := range []string{state, t.StandbySocket()} {
			if other, taken := written[path.Clean(file)]; taken {
				at := "transparent.state_file"
				if !v.given(at) {
					at = other
				}
				v.problem(at, singleQuoted(file)+", which is also that of "+other, "a file for each: the program writes both")
			}
		}
		written[path.Clean(state)], written[path.Clean(t.StandbySocket())] = "transparent.state_file", "transparent.state_file"
		if n := len(t.StandbySocket()); n > maxSocketPath {
			v.problem("transparent.state_file", fmt.Sprintf("a path of %d bytes", len(state)), fmt.Sprintf("at most %d: a socket stands beside it", maxSocketPath-n+len(state)))
		}
	}
	for key, file := range v.readFiles() {
		if by, taken := written[path.Clean(string(file))]; taken && file != "" {
			v.problem(key, singleQuoted(string(file))+", which the program writes ("+by+")", "a file of its own")
		}
	}
}

// readFiles yields the files that the program reads.
func (v *validator) readFiles() map[string]File {
	h, d := &v.cfg.Health, &v.cfg.Identity.Directory
	all := map[string]File{
		"health.password_file": h.PasswordFile, "health.keytab": h.Keytab, "health.krb5_conf": h.Krb5Conf,
		"identity.directory.password_file": d.PasswordFile, "identity.directory.keytab": d.Keytab,
		"identity.directory.ca_file": d.CAFile, "identity.directory.krb5_conf": d.Krb5Conf,
	}
	for i, file := range v.cfg.Identity.Keytabs {
		all[fmt.Sprintf("identity.keytabs[%d]", i)] = file
	}
	return all
}
