package transparent

import (
	"errors"
	"io/fs"
	"maps"
	"net/netip"
	"os"
	"sync"
)

// needed is what the fake kernel is to have in force.
var needed = table{
	comment: "needed",
	chains:  map[string]chain{"at_hook": {base: true, rules: 1}, "called": {rules: 3}},
	sets:    map[string]digest{setIPv4: {}, setIPv6: {}},
}

// inForce returns a table that is as it is needed.
func inForce() *table {
	return &table{
		comment:   "needed",
		chains:    map[string]chain{"at_hook": {base: true, rules: 1, digest: digest{1}}, "called": {rules: 3, digest: digest{2}}},
		sets:      map[string]digest{setIPv4: {3}, setIPv6: {4}},
		anonymous: digest{5},
	}
}

// fakeKernel is kernel in memory. It has what is needed in force at first.
type fakeKernel struct {
	mu       sync.Mutex
	ports    map[netip.AddrPort]bool
	table    *table
	routing  error
	families error
	number   uint32 // of the last transaction
	refuses  error  // what looking and changing end with
	vanishes int    // how often the table is deleted, and made again, while it is read
	fails    error  // what apply ends with

	reads, changes, tables, applied, routed int // calls
}

func newFakeKernel(ports ...netip.AddrPort) *fakeKernel {
	k := &fakeKernel{ports: map[netip.AddrPort]bool{}, table: inForce()}
	for _, p := range ports {
		k.ports[p] = true
	}
	return k
}

func (k *fakeKernel) read() (all []netip.AddrPort, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.reads++
	if k.table == nil {
		return nil, ErrNotApplied
	}
	for p := range k.ports {
		all = append(all, p)
	}
	return all, k.refuses
}

func (k *fakeKernel) change(add, remove []netip.AddrPort) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.changes++
	if k.table == nil {
		return ErrNotApplied
	}
	for _, p := range remove {
		if !k.ports[p] {
			return errors.New("no such element")
		}
	}
	for _, p := range remove {
		delete(k.ports, p)
	}
	for _, p := range add {
		k.ports[p] = true
	}
	k.number++
	return nil
}

func (k *fakeKernel) generation() (uint32, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.number, k.refuses
}

func (k *fakeKernel) readTable() (*table, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.tables++
	if k.vanishes > 0 {
		k.vanishes--
		k.number++
		return nil, &os.SyscallError{Syscall: "netlink", Err: fs.ErrNotExist}
	}
	if k.table == nil {
		return nil, k.refuses
	}
	t := *k.table
	t.chains, t.sets = maps.Clone(t.chains), maps.Clone(t.sets)
	return &t, k.refuses
}

func (k *fakeKernel) checkRouting() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.routing
}

func (k *fakeKernel) checkFamilies() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.families
}

func (k *fakeKernel) apply(learnt []netip.AddrPort) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.applied++
	if k.fails != nil {
		return k.fails
	}
	k.ports = newFakeKernel(learnt...).ports
	k.table, k.routing = inForce(), nil
	k.number++
	return nil
}

func (k *fakeKernel) applyRouting() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.routed++
	if k.fails == nil {
		k.routing = nil
	}
	return k.fails
}

// list returns the elements in order.
func (k *fakeKernel) list() []netip.AddrPort {
	k.mu.Lock()
	defer k.mu.Unlock()
	return model(k.ports).list()
}

// replace is what happens to the sets behind the Watcher's back.
func (k *fakeKernel) replace(absent bool, ports ...netip.AddrPort) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.ports, k.table = newFakeKernel(ports...).ports, inForce()
	if absent {
		k.table = nil
	}
	k.number++
}

// damage changes the table, or another thing, as somebody else does.
func (k *fakeKernel) damage(change func(k *fakeKernel)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	change(k)
	k.number++
}

// absent reports whether there is no table.
func (k *fakeKernel) absent() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.table == nil
}
