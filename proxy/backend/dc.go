package backend

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// DC is a domain controller at one of its addresses. All its methods may be
// called from any goroutine, and none of them waits: event loops call them. Those
// that only read need no lock and do not allocate.
type DC struct {
	// Name is unique: it is the label of metrics, and stands in events and in
	// the session table. It is the backend's name, "backend/target" for a domain
	// controller that DNS names, and the address itself for a discovered one and
	// for those of [Backend.Also].
	Name string
	Addr netip.Addr
	EPM  netip.AddrPort // its endpoint mapper

	names      dcNames
	nspiPort   uint16 // where it is fixed, else 0
	discovered bool
	onEvent    func(Event)
	reducer    reducer

	wake   chan struct{} // wakes the monitor; has one place
	mu     sync.Mutex    // held to replace health, so that events are in order
	health atomic.Pointer[health]

	paths    clientPaths
	prove    func(*DC) bool // has this machine try what clients fail at; does not wait
	proveDue chan struct{}  // has one place
}

// dcNames is what the domain controller is called, the same at each of its
// addresses.
type dcNames struct{ backend, server string }

// newDC makes a domain controller that is not monitored.
func newDC(name string, of dcNames, epm netip.AddrPort, nspiPort uint16, o *Options) *DC {
	dc := &DC{
		Name: name, Addr: epm.Addr(), EPM: epm, names: of, nspiPort: nspiPort, onEvent: o.OnEvent,
		reducer: reducer{rise: o.Rise, fall: o.Fall, epmPort: epm.Port(), probes: o.Prober != nil}, wake: make(chan struct{}, 1),
		prove: o.prove, proveDue: make(chan struct{}, 1),
	}
	h := &health{}
	if nspiPort != 0 {
		h.ports = &[]uint16{nspiPort}
	}
	dc.health.Store(h)
	return dc
}

// BackendName returns the name by which rules of the policy know it: the
// configured backend's, or the address of a discovered one.
func (dc *DC) BackendName() string { return dc.names.backend }

// ServerName returns the name for logs and for counting users. All addresses of
// a domain controller have the same.
func (dc *DC) ServerName() string { return dc.names.server }

// State returns its state.
func (dc *DC) State() State { return dc.health.Load().state }

// Silent reports whether it is unreachable because nothing at all comes from its
// host, on any port: not even a refusal.
func (dc *DC) Silent() bool { return dc.reducer.silent(dc.health.Load()) }

// Gone reports whether a client of it would wait in vain: nothing at all has come from
// its host for patience, which is how long a client waits, or else its connections have
// been silent as well when they were asked for a sign of life ([Set.Vanished]). A host
// that answers on any port is not gone, and one that only loses new connections is not
// before that time.
func (dc *DC) Gone(patience time.Duration) bool {
	h := dc.health.Load()
	return h.state == Unreachable && dc.reducer.gone(h, patience, time.Now())
}

// NSPI returns the ports of NSPI, in ascending order: the configured one or those
// that the endpoint mapper named last, even if it no longer does. It is empty
// while none is known. The caller must not change it.
func (dc *DC) NSPI() []uint16 { return dc.health.Load().nspi() }

// Ports returns the ports of NSPI, and of the further interfaces of its process. The
// caller must not change them.
func (dc *DC) Ports() Ports {
	h := dc.health.Load()
	return Ports{NSPI: h.nspi(), Process: h.inProcess()}
}

// Priority returns the priority of its SRV record, the lower the better. It is
// 0 for a domain controller that DNS does not name.
func (dc *DC) Priority() uint16 { return dc.health.Load().priority }

// LastProbe returns what the latest active check found; ok is false before the
// first.
func (dc *DC) LastProbe() (r Result, ok bool) {
	if p := dc.health.Load().probe; p != nil {
		return *p, true
	}
	return Result{}, false
}
