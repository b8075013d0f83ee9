package transparent

import (
	"errors"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// fakeSets is kernelSets in memory.
type fakeSets struct {
	mu      sync.Mutex
	ports   map[netip.AddrPort]bool
	absent  bool // there are no sets
	reads   int
	changes int
}

func newFakeSets(ports ...netip.AddrPort) *fakeSets {
	k := &fakeSets{ports: map[netip.AddrPort]bool{}}
	for _, p := range ports {
		k.ports[p] = true
	}
	return k
}

func (k *fakeSets) read() (all []netip.AddrPort, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.reads++
	if k.absent {
		return nil, ErrNotApplied
	}
	for p := range k.ports {
		all = append(all, p)
	}
	return all, nil
}

func (k *fakeSets) change(add, remove []netip.AddrPort) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.changes++
	if k.absent {
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
	return nil
}

// list returns the elements in order.
func (k *fakeSets) list() []netip.AddrPort {
	k.mu.Lock()
	defer k.mu.Unlock()
	return model(k.ports).list()
}

// replace is what happens behind the PortSet's back.
func (k *fakeSets) replace(absent bool, ports ...netip.AddrPort) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.ports, k.absent = newFakeSets(ports...).ports, absent
}

// running is a PortSet whose ticks the test makes.
type running struct {
	*PortSet
	store   *Ports
	routing chan error // what becomes of the routing: the next ones that are looked at
	ticks   chan time.Time
	reports chan error
}

func startPortSet(t testing.TB, kernel kernelSets, known string) running {
	t.Helper()
	r := running{store: newPorts(), routing: make(chan error, 1), ticks: make(chan time.Time), reports: make(chan error, 100)}
	for _, p := range ports(known) {
		if _, err := r.store.Learn(p); err != nil {
			t.Fatal(err)
		}
	}
	look := func() error {
		select {
		case err := <-r.routing:
			return err
		default:
			return nil
		}
	}
	r.PortSet = newPortSet(r.store, kernel, look, func(err error) { r.reports <- err })
	go r.run(r.ticks)
	return r
}

// sync waits for the kernel and returns how that ended.
func (r running) sync() error {
	done := make(chan error, 1)
	r.Sync(func(err error) { done <- err })
	return <-done
}

// add waits for one port.
func (r running) add(p netip.AddrPort) error {
	done := make(chan error, 1)
	r.Add(p, func(err error) { done <- err })
	return <-done
}

// tick lets the PortSet compare, and waits until it has.
func (r running) tick() error {
	r.ticks <- time.Time{}
	return r.sync()
}

func TestKernelHasTheStoresPortsFromTheStart(t *testing.T) {
	kernel := newFakeSets(ports("10.0.5.11:1 10.0.5.11:2")...)
	r := startPortSet(t, kernel, "10.0.5.11:2 [fd00::1]:3")
	defer r.Close()
	if err := r.sync(); err != nil {
		t.Fatal(err)
	}
	if got, want := kernel.list(), r.store.List(); !slices.Equal(got, want) {
		t.Errorf("kernel %v, store %v", got, want)
	}
	if !r.Has(ports("10.0.5.11:2")[0]) || r.Has(ports("10.0.5.11:1")[0]) {
		t.Error("Has says something else")
	}
}

func TestAddEndsWhenTheKernelHasThePortAndReadsNothing(t *testing.T) {
	kernel := newFakeSets()
	r := startPortSet(t, kernel, "")
	defer r.Close()
	if err := r.sync(); err != nil {
		t.Fatal(err)
	}
	p := ports("10.0.5.11:49677")[0]
	if _, err := r.store.Learn(p); err != nil {
		t.Fatal(err)
	}
	if err := r.add(p); err != nil || !slices.Contains(kernel.list(), p) || !r.Has(p) {
		t.Errorf("error %v, kernel %v", err, kernel.list())
	}
	if kernel.reads != 1 {
		t.Errorf("the sets were read %d times, want once at the start", kernel.reads)
	}
}

func TestPortThatTheStoreDoesNotHaveIsAnError(t *testing.T) {
	r := startPortSet(t, newFakeSets(), "")
	defer r.Close()
	if err := r.add(ports("10.0.5.11:1")[0]); !errors.Is(err, ErrNotLearnt) {
		t.Errorf("error %v", err)
	}
}

func TestRemovedPortsLeaveTheKernel(t *testing.T) {
	kernel := newFakeSets()
	r := startPortSet(t, kernel, "10.0.5.11:1 10.0.5.11:2")
	defer r.Close()
	if _, _, err := r.store.Confirm(netip.MustParseAddr("10.0.5.11"), []uint16{3}); err != nil {
		t.Fatal(err)
	}
	if err := r.sync(); err != nil || !slices.Equal(kernel.list(), ports("10.0.5.11:3")) {
		t.Errorf("error %v, kernel %v", err, kernel.list())
	}
}

func TestRulesPutInForceAgainBehindItsBackAreFilledAtTheNextTick(t *testing.T) {
	kernel := newFakeSets()
	r := startPortSet(t, kernel, "10.0.5.11:1 10.0.5.11:2")
	defer r.Close()
	if err := r.sync(); err != nil {
		t.Fatal(err)
	}
	kernel.replace(false, ports("10.0.5.11:7")...)
	if err := r.tick(); err != nil || !slices.Equal(kernel.list(), r.store.List()) {
		t.Errorf("error %v, kernel %v", err, kernel.list())
	}
}

func TestElementsRemovedBehindItsBackDoNotFailTheNextChange(t *testing.T) {
	kernel := newFakeSets()
	r := startPortSet(t, kernel, "10.0.5.11:1")
	defer r.Close()
	if err := r.sync(); err != nil {
		t.Fatal(err)
	}
	kernel.replace(false)
	if _, _, err := r.store.Confirm(netip.MustParseAddr("10.0.5.11"), []uint16{3}); err != nil {
		t.Fatal(err)
	}
	if err := r.sync(); err != nil || !slices.Equal(kernel.list(), ports("10.0.5.11:3")) {
		t.Errorf("error %v, kernel %v", err, kernel.list())
	}
}

func TestAbsentRulesAreReportedOnceAndTheirReturnToo(t *testing.T) {
	kernel := newFakeSets()
	kernel.replace(true)
	r := startPortSet(t, kernel, "10.0.5.11:1")
	defer r.Close()
	p := ports("10.0.5.11:1")[0]
	for range 3 {
		if err := r.tick(); !errors.Is(err, ErrNotApplied) {
			t.Errorf("error %v", err)
		}
	}
	if err := r.add(p); !errors.Is(err, ErrNotApplied) || r.Has(p) {
		t.Errorf("added: error %v", err)
	}
	kernel.replace(false)
	if err := r.tick(); err != nil || !r.Has(p) {
		t.Errorf("error %v", err)
	}
	if first, second := <-r.reports, <-r.reports; !errors.Is(first, ErrNotApplied) || second != nil || len(r.reports) != 0 {
		t.Errorf("reported %v, %v, and %d more", first, second, len(r.reports))
	}
}

func TestLostRoutingIsReportedAndPortsAreAddedAllTheSame(t *testing.T) {
	r := startPortSet(t, newFakeSets(), "10.0.5.11:1")
	defer r.Close()
	r.routing <- ErrNoRouting
	if err := r.tick(); err != nil {
		t.Errorf("error %v", err)
	}
	if err := r.add(ports("10.0.5.11:1")[0]); err != nil {
		t.Errorf("added: error %v", err)
	}
	if err := r.tick(); err != nil {
		t.Errorf("error %v", err)
	}
	if first, second := <-r.reports, <-r.reports; !errors.Is(first, ErrNoRouting) || second != nil || len(r.reports) != 0 {
		t.Errorf("reported %v, %v, and %d more", first, second, len(r.reports))
	}
}

func TestTickWithoutChangesOnlyReads(t *testing.T) {
	kernel := newFakeSets()
	r := startPortSet(t, kernel, "10.0.5.11:1")
	defer r.Close()
	for range 3 {
		if err := r.tick(); err != nil {
			t.Fatal(err)
		}
	}
	if kernel.changes != 1 {
		t.Errorf("%d changes, want the first", kernel.changes)
	}
}

func TestCallsThatWaitAtTheEndAreToldOfIt(t *testing.T) {
	r := startPortSet(t, newFakeSets(), "")
	r.Close()
	if err := r.sync(); !errors.Is(err, ErrClosed) {
		t.Errorf("error %v", err)
	}
}

func TestCallsThatWaitAreBounded(t *testing.T) {
	s := newPortSet(newPorts(), newFakeSets(), func() error { return nil }, func(error) {})
	ended := 0
	for range maxWaiting {
		s.Sync(func(err error) {
			if !errors.Is(err, ErrClosed) {
				t.Errorf("error %v", err)
			}
			ended++
		})
	}
	var last error
	s.Sync(func(err error) { last = err })
	if !errors.Is(last, ErrBusy) || ended != 0 {
		t.Errorf("one more: error %v; %d of the others have ended", last, ended)
	}
	s.finish(s.take(), ErrClosed, nil)
	if ended != maxWaiting {
		t.Errorf("%d of %d have ended", ended, maxWaiting)
	}
}

func TestKernelIsAsTheStoreWhateverHappens(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		kernel := newFakeSets()
		r := startPortSet(t, kernel, "")
		defer r.Close()
		rt.Repeat(map[string]func(*rapid.T){
			"learn": func(rt *rapid.T) {
				p := netip.AddrPortFrom(drawAddr(rt), port.Draw(rt, "port"))
				if _, err := r.store.Learn(p); err != nil {
					return // the bound
				}
				if err := r.add(p); err == nil && (!r.Has(p) || !slices.Contains(kernel.list(), p)) {
					rt.Fatalf("%s was added but is not there", p)
				}
			},
			"confirm": func(rt *rapid.T) {
				_, _, _ = r.store.Confirm(drawAddr(rt), rapid.SliceOfN(port, 0, 5).Draw(rt, "ports"))
			},
			"replaced": func(rt *rapid.T) {
				p := netip.AddrPortFrom(drawAddr(rt), port.Draw(rt, "port"))
				kernel.replace(rapid.Bool().Draw(rt, "absent"), p)
			},
			"tick": func(rt *rapid.T) {
				if err := r.tick(); (err != nil) != kernel.absent || (err == nil && !slices.Equal(kernel.list(), r.store.List())) {
					rt.Fatalf("error %v, absent %v, kernel %v, store %v", err, kernel.absent, kernel.list(), r.store.List())
				}
			},
		})
	})
}
