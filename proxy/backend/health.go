package backend

import (
	"net/netip"
	"slices"
	"time"
)

// health is all that is known of one address of a domain controller. Every
// opinion on whether it is alive is a field of it, or a method that derives the
// answer from the fields and changes nothing. It is a comparable value:
// [reducer.next] makes the next one from it, and a published one never changes.
type health struct {
	// These survive the beginning and the end of monitoring.

	ports    *[]uint16 // of NSPI, ascending: fixed, or as the endpoint mapper named them last; nil: not known
	process  *[]uint16 // of the further interfaces of its process, ascending, not empty; nil: not known
	reached  uint16    // the port that a client reached last while no port of NSPI was known; 0: none
	priority uint16    // of the SRV record
	probe    *Result   // of the latest active check; nil: none yet
	clients  clientHealth

	// These begin anew with monitoring.

	monitored bool // someone will notice its return; nothing is counted against it otherwise
	state     State
	seen      bool // to serve, by something that has succeeded
	connects  int  // in a row that speak against the state: failed while it is reachable, made while it is not
	broken    bool // what the active checks say: NSPI does not answer as it should
	probes    int  // active checks in a row that speak against broken
	checkDue  bool // a connect must show whether it is reachable
	silence   silence
	mapper    mapperHealth
}

// clientHealth is what connections under clients' own addresses have shown. It
// says nothing about what this machine reaches: a firewall on the domain
// controller may let in the one and not the other.
type clientHealth struct {
	failed bool      // the last client could not connect
	tried  time.Time // when that was, or when the latest trial began
}

// mapperHealth is how the endpoint mapper is.
type mapperHealth struct {
	failures     int  // sessions in a row that ended without an answer
	down         bool // EPMDown was reported
	unregistered bool // it answers that NSPI is not registered
}

// silence is a row of attempts that nothing answered, neither by accepting nor
// by refusing.
type silence struct {
	attempts int
	since    time.Time // when the first of them began
	reported bool      // an earlier row was reported, and nothing has answered since
	began    time.Time // of the earliest attempt since anything has answered, a client's own included; zero: none
	gone     bool      // its connections are silent as well
}

// nspi returns the ports of NSPI, empty while none is known.
func (h *health) nspi() []uint16 {
	if h.ports == nil {
		return nil
	}
	return *h.ports
}

// inProcess returns the ports of the further interfaces of its process, nil while
// none is known.
func (h *health) inProcess() []uint16 {
	if h.process == nil {
		return nil
	}
	return *h.process
}

// counts reports whether a connection to port says something about the state.
// The state is about NSPI, so only its own ports do, or any port while they are
// not known: the endpoint mapper may work while NSPI does not, and the reverse.
func (h *health) counts(port uint16) bool {
	known := h.nspi()
	return len(known) == 0 || slices.Contains(known, port)
}

// degraded reports whether it must be checked promptly, and not only at the
// interval of active checks.
func (h *health) degraded() bool { return h.checkDue || h.state == Unreachable }

// needsTrial reports whether a client's connection under its own address is
// expected to fail: neither this machine nor the last client could connect.
func (h *health) needsTrial() bool { return h.state == Unreachable && h.clients.failed }

// checkPorts returns where to connect in a check of the address. The first
// counting ports count for the state; at the endpoint mapper epm, which comes last,
// the host may show that it is alive. While no port of NSPI is known, the port that
// clients reached stands in for it, or else the endpoint mapper.
func (h *health) checkPorts(epm netip.AddrPort) (ports []netip.AddrPort, counting int) {
	known := h.nspi()
	for _, port := range known[:min(len(known), maxCheckPorts)] {
		ports = append(ports, netip.AddrPortFrom(epm.Addr(), port))
	}
	if len(ports) == 0 && h.reached != 0 {
		ports = append(ports, netip.AddrPortFrom(epm.Addr(), h.reached))
	}
	return append(ports, epm), max(len(ports), 1)
}
