package transparent

import (
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// running is a Watcher whose ticks the test makes.
type running struct {
	*Watcher
	store   *Ports
	ticks   chan time.Time
	reports chan Report
}

// startWatcher starts one that may not repair anything.
func startWatcher(t testing.TB, kernel kernel, known string) running {
	t.Helper()
	r := prepareWatcher(t, kernel, known, false)
	r.started = true
	go r.run(r.ticks)
	return r
}

// prepareWatcher returns one that does not run.
func prepareWatcher(t testing.TB, kernel kernel, known string, repair bool) running {
	t.Helper()
	r := running{store: newPorts(), ticks: make(chan time.Time), reports: make(chan Report, 1000)}
	for _, p := range ports(known) {
		if _, err := r.store.Learn(p); err != nil {
			t.Fatal(err)
		}
	}
	r.Watcher = newWatcher(r.store, kernel, needed, WatchOptions{Repair: repair, Report: func(p Report) { r.reports <- p }})
	return r
}

// sync waits for the kernel and returns how that ended.
func (r running) sync() error {
	done := make(chan error, 1)
	r.Ports.Sync(func(err error) { done <- err })
	return <-done
}

// add waits for one port.
func (r running) add(p netip.AddrPort) error {
	done := make(chan error, 1)
	r.Ports.Add(p, func(err error) { done <- err })
	return <-done
}

// tick lets the Watcher compare, and waits until it has.
func (r running) tick() error {
	r.ticks <- time.Time{}
	return r.sync()
}

func TestKernelHasTheStoresPortsFromTheStart(t *testing.T) {
	kernel := newFakeKernel(ports("10.0.5.11:1 10.0.5.11:2")...)
	r := startWatcher(t, kernel, "10.0.5.11:2 [fd00::1]:3")
	defer r.Close()
	if err := r.sync(); err != nil {
		t.Fatal(err)
	}
	if got, want := kernel.list(), r.store.List(); !slices.Equal(got, want) {
		t.Errorf("kernel %v, store %v", got, want)
	}
	if !r.Ports.Has(ports("10.0.5.11:2")[0]) || r.Ports.Has(ports("10.0.5.11:1")[0]) {
		t.Error("Has says something else")
	}
}

func TestAddEndsWhenTheKernelHasThePortAndReadsNothing(t *testing.T) {
	kernel := newFakeKernel()
	r := startWatcher(t, kernel, "")
	defer r.Close()
	if err := r.sync(); err != nil {
		t.Fatal(err)
	}
	p := ports("10.0.5.11:49677")[0]
	if _, err := r.store.Learn(p); err != nil {
		t.Fatal(err)
	}
	if err := r.add(p); err != nil || !slices.Contains(kernel.list(), p) || !r.Ports.Has(p) {
		t.Errorf("error %v, kernel %v", err, kernel.list())
	}
	if kernel.reads != 1 {
		t.Errorf("the sets were read %d times, want once at the start", kernel.reads)
	}
}

func TestPortThatTheStoreDoesNotHaveIsAnError(t *testing.T) {
	r := startWatcher(t, newFakeKernel(), "")
	defer r.Close()
	if err := r.add(ports("10.0.5.11:1")[0]); !errors.Is(err, ErrNotLearnt) {
		t.Errorf("error %v", err)
	}
}

func TestRemovedPortsLeaveTheKernel(t *testing.T) {
	kernel := newFakeKernel()
	r := startWatcher(t, kernel, "10.0.5.11:1 10.0.5.11:2")
	defer r.Close()
	if _, _, err := r.store.Confirm(netip.MustParseAddr("10.0.5.11"), []uint16{3}); err != nil {
		t.Fatal(err)
	}
	if err := r.sync(); err != nil || !slices.Equal(kernel.list(), ports("10.0.5.11:3")) {
		t.Errorf("error %v, kernel %v", err, kernel.list())
	}
}

func TestRulesPutInForceAgainBehindItsBackAreFilledAtTheNextTick(t *testing.T) {
	kernel := newFakeKernel()
	r := startWatcher(t, kernel, "10.0.5.11:1 10.0.5.11:2")
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
	kernel := newFakeKernel()
	r := startWatcher(t, kernel, "10.0.5.11:1")
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

func TestCallsThatWaitAtTheEndAreToldOfIt(t *testing.T) {
	r := startWatcher(t, newFakeKernel(), "")
	r.Close()
	if err := r.sync(); !errors.Is(err, ErrClosed) {
		t.Errorf("error %v", err)
	}
}

func TestCallsThatWaitAreBounded(t *testing.T) {
	s := newPortSet(newPorts(), newFakeKernel())
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
	s.close()
	if ended != maxWaiting {
		t.Errorf("%d of %d have ended", ended, maxWaiting)
	}
}

func TestKernelIsAsTheStoreWhateverHappens(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		kernel := newFakeKernel()
		r := startWatcher(t, kernel, "")
		defer r.Close()
		rt.Repeat(map[string]func(*rapid.T){
			"learn": func(rt *rapid.T) {
				p := netip.AddrPortFrom(drawAddr(rt), port.Draw(rt, "port"))
				if _, err := r.store.Learn(p); err != nil {
					return // the bound
				}
				if err := r.add(p); err == nil && (!r.Ports.Has(p) || !slices.Contains(kernel.list(), p)) {
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
				if err := r.tick(); (err != nil) != kernel.absent() || (err == nil && !slices.Equal(kernel.list(), r.store.List())) {
					rt.Fatalf("error %v, absent %v, kernel %v, store %v", err, kernel.absent(), kernel.list(), r.store.List())
				}
			},
		})
	})
}
