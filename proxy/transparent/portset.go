package transparent

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
)

// maxWaiting bounds the calls that wait for the kernel. Each belongs to a held
// answer of an endpoint mapper, one a connection.
const maxWaiting = 1 << 16

// Errors that a call of PortSet may end with.
var (
	// ErrNotApplied says that there is no table of ours.
	ErrNotApplied = errors.New("the rules are not in force: nspiproxy rules --apply has not been run, or something removed them")
	// ErrNoRouting says that marked packets do not come here: connections hang.
	ErrNoRouting = errors.New("the routing rules are gone: nspiproxy rules --apply puts them in force again. " +
		"systemd-networkd removes them unless networkd.conf has ManageForeignRoutingPolicyRules=no and ManageForeignRoutes=no")
	// errForeignRoute says that marked packets may go elsewhere. To put ours in force
	// again is of no use.
	errForeignRoute = errors.New("somebody else has a route in routing table")
	// errLedAway says that they do go elsewhere, by what others have put before ours.
	errLedAway = errors.New("marked packets do not come here")
	// errLost says that ports were in the sets and are not any more.
	errLost = errors.New("learnt ports were taken out of the kernel's sets")
	// ErrNotLearnt says that the store does not have the port.
	ErrNotLearnt = errors.New("the port is not among the learnt ones")
	// ErrBusy says that maxWaiting calls wait already.
	ErrBusy = errors.New("too many calls wait for the kernel")
	// ErrClosed says that the PortSet has ended.
	ErrClosed = errors.New("the port set is closed")
)

// kernelSets is the two sets of learnt ports in the kernel.
type kernelSets interface {
	// read returns all elements.
	read() ([]netip.AddrPort, error)
	// change adds and removes elements, all of them or none. Elements to add may
	// be there, and be named twice; elements to remove must be there.
	change(add, remove []netip.AddrPort) error
}

// PortSet keeps the kernel's sets of learnt ports equal to the store, on the goroutine
// of a [Watcher]. Its exported methods are for all goroutines and never wait.
type PortSet struct {
	store  *Ports
	kernel kernelSets
	wakeup chan struct{}

	mu      sync.Mutex
	has     map[netip.AddrPort]struct{} // what the kernel had last; set by the Watcher alone
	waiting []waiter
	closed  bool

	// These belong to the Watcher.
	fresh bool   // nobody can have changed the sets since has was set
	made  uint32 // transactions since they were asked for
	lost  bool   // somebody has taken ports out of the sets, since that was asked for
}

// waiter is a call that waits for the kernel.
type waiter struct {
	port netip.AddrPort // the zero AddrPort: all that is in the store
	done func(error)
}

func newPortSet(store *Ports, kernel kernelSets) *PortSet {
	return &PortSet{store: store, kernel: kernel, wakeup: make(chan struct{}, 1)}
}

// Has reports whether the kernel had the port when the PortSet last looked, a
// second ago or less: connections to it come here.
func (s *PortSet) Has(ap netip.AddrPort) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.has[ap]
	return ok
}

// Add has done called, from the Watcher's goroutine, when the kernel has the
// port, which the store must have learnt before, or with the reason why it has
// not. When too many calls wait, or after Close, done is called at once.
func (s *PortSet) Add(ap netip.AddrPort, done func(error)) { s.enqueue(waiter{ap, done}) }

// Sync has done called when the kernel has what the store has now, as Add does
// for one port. It is to be called when ports were removed from the store.
func (s *PortSet) Sync(done func(error)) { s.enqueue(waiter{done: done}) }

func (s *PortSet) enqueue(w waiter) {
	s.mu.Lock()
	var err error
	switch {
	case s.closed:
		err = ErrClosed
	case len(s.waiting) >= maxWaiting:
		err = ErrBusy
	default:
		s.waiting = append(s.waiting, w)
	}
	s.mu.Unlock()
	if err != nil {
		w.done(err)
		return
	}
	select {
	case s.wakeup <- struct{}{}:
	default:
	}
}

// close ends the PortSet. Calls that wait end with ErrClosed.
func (s *PortSet) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.finish(s.take(), ErrClosed)
}

// stale has the sets read before they are changed the next time: somebody may have
// changed them.
func (s *PortSet) stale() { s.fresh = false }

// transactions returns how many changes were made since it was called last.
func (s *PortSet) transactions() uint32 {
	n := s.made
	s.made = 0
	return n
}

// take returns the calls that wait, which the caller has to end.
func (s *PortSet) take() []waiter {
	s.mu.Lock()
	defer s.mu.Unlock()
	calls := s.waiting
	s.waiting = nil
	return calls
}

// missed reports whether somebody has taken ports out of the sets since it was called
// last. They are there again, unless the last change has failed.
func (s *PortSet) missed() bool {
	lost := s.lost
	s.lost = false
	return lost
}

// finish ends calls: with err, or with what became of their port.
func (s *PortSet) finish(calls []waiter, err error) {
	for _, c := range calls {
		result := err
		if err == nil && c.port.IsValid() && !s.Has(c.port) {
			result = fmt.Errorf("%s: %w", c.port, ErrNotLearnt)
		}
		c.done(result)
	}
}

// equalize makes the kernel's sets equal to the store. What calls ask for is added even
// if it should be there: somebody may have removed it since the sets were read. What
// they were believed to have is tried first, which spares reading them for each new
// port.
func (s *PortSet) equalize(calls []waiter) error {
	wanted := make(map[netip.AddrPort]struct{})
	for _, p := range s.store.List() {
		wanted[p] = struct{}{}
	}
	var asked []netip.AddrPort
	for _, c := range calls {
		if _, ok := wanted[c.port]; ok {
			asked = append(asked, c.port)
		}
	}
	if s.fresh && s.change(s.has, wanted, asked) == nil {
		return nil
	}
	elements, err := s.kernel.read()
	if err == nil {
		has := make(map[netip.AddrPort]struct{}, len(elements))
		for _, e := range elements {
			has[e] = struct{}{}
		}
		for p := range s.has {
			if _, ok := has[p]; !ok {
				s.lost = true
			}
		}
		err = s.change(has, wanted, nil)
	}
	s.fresh = err == nil
	if err != nil {
		s.setHas(nil)
	}
	return err
}

// change makes the kernel's sets, which have has, equal to wanted, and adds
// asked in any case.
func (s *PortSet) change(has, wanted map[netip.AddrPort]struct{}, asked []netip.AddrPort) error {
	add := asked
	for p := range wanted {
		if _, ok := has[p]; !ok {
			add = append(add, p)
		}
	}
	var remove []netip.AddrPort
	for p := range has {
		if _, ok := wanted[p]; !ok {
			remove = append(remove, p)
		}
	}
	if len(add)+len(remove) > 0 {
		if err := s.kernel.change(add, remove); err != nil {
			return err
		}
		s.made++
	}
	s.setHas(wanted)
	return nil
}

func (s *PortSet) setHas(has map[netip.AddrPort]struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.has = has
}
