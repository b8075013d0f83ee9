package backend

import (
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
)

// DC is a domain controller. All its methods may be called from any goroutine,
// and none of them waits: loops read these.
type DC struct {
	// Name tells it from all others, in metrics, in events about it and in the
	// session table: the backend's name, "backend/target" for one that DNS
	// names, or the address of a discovered one or of [Backend.Also].
	Name string
	Addr netip.Addr
	EPM  netip.AddrPort // its endpoint mapper

	names      dcNames
	nspiPort   uint16 // where it is fixed, else 0
	discovered bool
	onEvent    func(Event)

	priority atomic.Uint32 // of its SRV record
	ports    atomic.Pointer[[]uint16]
	dialled  atomic.Uint32 // the latest port that a client got through to, but for the endpoint mapper's
	probed   atomic.Pointer[Result]
	state    atomic.Uint32 // health.state
	troubled atomic.Bool   // a connect that succeeds would change something

	clientFailed atomic.Bool  // the last client could not reach it under its own address
	tried        atomic.Int64 // when, in Unix nanoseconds, or when one was let try

	doubted atomic.Bool   // it is to be checked, and promptly until a check succeeds
	wake    chan struct{} // the monitor's; one place

	mu       sync.Mutex
	attended atomic.Bool // somebody finds out when it is back; written with mu held
	health   health
	silence  silence
}

// dcNames is who a domain controller is, by whichever of its addresses.
type dcNames struct{ backend, server string }

// newDC makes a domain controller that nobody attends to.
func newDC(name string, of dcNames, addr netip.AddrPort, nspiPort uint16, o *Options) *DC {
	dc := &DC{
		Name: name, names: of, Addr: addr.Addr(), EPM: addr,
		nspiPort: nspiPort, onEvent: o.OnEvent, wake: make(chan struct{}, 1),
		health: health{rise: o.Rise, fall: o.Fall},
	}
	if nspiPort != 0 {
		dc.ports.Store(&[]uint16{nspiPort})
	}
	return dc
}

// BackendName returns the name by which rules of the policy know it: the
// configured backend's, or the address of a discovered one.
func (dc *DC) BackendName() string { return dc.names.backend }

// ServerName returns the name of the domain controller that has this address,
// for logs and for counting users: the same for all its addresses.
func (dc *DC) ServerName() string { return dc.names.server }

// State returns its state.
func (dc *DC) State() State { return State(dc.state.Load()) }

// NSPI returns the ports of NSPI, in ascending order: the configured one or
// those that the endpoint mapper told last, even if it no longer does. It is
// empty while none is known, and must not be changed.
func (dc *DC) NSPI() []uint16 {
	if p := dc.ports.Load(); p != nil {
		return *p
	}
	return nil
}

// Priority returns the priority of its SRV record, the lower the better. It is
// 0 for a domain controller that DNS does not name.
func (dc *DC) Priority() uint16 { return uint16(dc.priority.Load()) }

// LastProbe returns what the latest active check found; ok is false before the
// first.
func (dc *DC) LastProbe() (r Result, ok bool) {
	if p := dc.probed.Load(); p != nil {
		return *p, true
	}
	return Result{}, false
}

// counts reports whether a connection to port says something about the state.
// The state is about NSPI, so only its own ports do, or any while they are not
// known: an endpoint mapper is no substitute for it, nor the reverse.
func (dc *DC) counts(port uint16) bool {
	known := dc.NSPI()
	return len(known) == 0 || slices.Contains(known, port)
}

// checkPorts returns where to connect in doubt, and where else the host may
// show that it lives. While no port of NSPI is known, what clients got through
// to stands in for it, or else the endpoint mapper.
func (dc *DC) checkPorts() (counted, others []netip.AddrPort) {
	for _, port := range dc.NSPI()[:min(len(dc.NSPI()), maxCheckPorts)] {
		counted = append(counted, netip.AddrPortFrom(dc.Addr, port))
	}
	if port := dc.dialled.Load(); len(counted) == 0 && port != 0 {
		counted = append(counted, netip.AddrPortFrom(dc.Addr, uint16(port)))
	}
	if len(counted) == 0 {
		return []netip.AddrPort{dc.EPM}, nil
	}
	return counted, []netip.AddrPort{dc.EPM}
}
