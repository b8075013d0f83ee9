package transparent

import (
	"slices"
	"sync/atomic"
	"time"
)

const (
	// checkInterval is how often what is in force is compared with what is needed,
	// when the kernel tells of no change.
	checkInterval = time.Second
	// changePause is the least time between two comparisons because the kernel has
	// told of a change, and changeShare the part of the time that they may take:
	// other programs may change routes and rules a thousand times a second.
	changePause = 100 * time.Millisecond
	changeShare = 20
	// settleTime is how long routing may differ before that counts: the script of
	// nspiproxy rules, and rules --apply, take rules and routes away and add them again
	// one by one, within some tens of milliseconds.
	settleTime = 250 * time.Millisecond
)

// Watcher keeps in force what leads connections here: rules, routing, and the learnt
// ports. Its methods are for all goroutines.
type Watcher struct {
	// Ports are the learnt ports in the kernel.
	Ports *PortSet

	comparison comparison
	changes    *changes
	repair     bool // rules and routing may be put in force again
	now        func() time.Time
	stop       chan struct{}
	looked     chan struct{} // closed when it has looked for the first time
	ended      chan struct{}
	started    bool
	inForce    atomic.Bool

	// These belong to run.
	news     news
	pace     pace
	differs  []Difference // when it looked last
	rerouted time.Time    // since when only routing differs; the zero Time: it does not
	failed   error        // what became of the last repair
	retry    <-chan time.Time
}

// WatchOptions say what a [Watcher] may do.
type WatchOptions struct {
	Repair bool // put rules and routing in force again
	// Report is called from a goroutine of the Watcher with each change of what it
	// finds. On other systems than Linux nothing ever comes here.
	Report func(Report)
}

// NewWatcher returns a Watcher for what is possible of the plan. It does nothing before
// [Watcher.Start].
func (p *Plan) NewWatcher(store *Ports, o WatchOptions) *Watcher {
	possible := p.Possible()
	w := newWatcher(store, newKernel(possible, len(possible.families()) < len(p.families())), possible.table(), o)
	w.changes = newChanges(p.settings.RouteTable)
	return w
}

// newWatcher returns one that the kernel tells nothing.
func newWatcher(store *Ports, k kernel, plan table, o WatchOptions) *Watcher {
	w := &Watcher{
		Ports: newPortSet(store, k), comparison: newComparison(k, plan), changes: newChanges(0), repair: o.Repair, now: time.Now,
		stop: make(chan struct{}), looked: make(chan struct{}), ended: make(chan struct{}),
	}
	w.news = news{report: o.Report, now: func() time.Time { return w.now() }}
	return w
}

// Start begins to watch. Until it has looked, and repaired what it may, it waits for
// the given time at most.
func (w *Watcher) Start(wait time.Duration) {
	w.started = true
	w.changes.listen()
	go func() {
		ticker := time.NewTicker(checkInterval)
		defer ticker.Stop()
		w.run(ticker.C)
	}()
	select {
	case <-w.looked:
	case <-time.After(wait):
	}
}

// Close ends the Watcher; no repair is under way when it returns. Calls that wait for
// the kernel end with ErrClosed. What is in force stays.
func (w *Watcher) Close() {
	close(w.stop)
	if w.started {
		<-w.ended
		w.changes.close()
	}
	w.Ports.close()
}

// InForce reports whether connections of clients came here as planned when the Watcher
// looked last, a second ago or less.
func (w *Watcher) InForce() bool { return w.inForce.Load() }

// run attends to what is to be done, and looks at every tick.
func (w *Watcher) run(ticks <-chan time.Time) {
	defer close(w.ended)
	w.attend(true)
	close(w.looked)
	changed, rested := w.changes.changed, (<-chan time.Time)(nil)
	for {
		select {
		case <-w.Ports.wakeup:
			w.attend(false)
		case <-changed:
			begin := w.now()
			w.attend(true)
			changed, rested = nil, time.After(max(changePause, changeShare*w.now().Sub(begin)))
		case <-rested:
			changed, rested = w.changes.changed, nil
		case <-ticks:
			w.attend(true)
		case <-w.retry:
			w.retry = nil
			w.attend(true)
		case <-w.stop:
			return
		}
	}
}

// attend makes the kernel's sets equal to the store and ends the calls that waited for
// it. It looks at everything else first if that is due, or if it must be the reason why
// the sets cannot be changed.
func (w *Watcher) attend(look bool) {
	if look {
		w.look()
	}
	calls := w.Ports.take()
	if len(w.comparison.plan.chains) == 0 {
		w.Ports.finish(calls, ErrNotApplied) // no client comes here by any family
		w.tell(w.differs)
		return
	}
	err := w.Ports.equalize(calls)
	if err != nil && (!look || len(w.differs) == 0) {
		w.look()
		err = w.Ports.equalize(calls)
	}
	if n := w.Ports.transactions(); n > 0 {
		w.comparison.follow(n)
	}
	w.Ports.finish(calls, err)
	switch lost := w.Ports.missed(); {
	case len(w.differs) > 0:
		w.tell(w.differs)
	case err != nil:
		w.tell([]Difference{{ReasonPorts, err}})
	default:
		if lost {
			w.tell([]Difference{{ReasonPorts, errLost}})
			w.news.repaired = true
		}
		w.tell(nil)
	}
}

// look compares what is in force with what is needed, and repairs it if it may.
func (w *Watcher) look() {
	differs := w.compare()
	now := w.now()
	if pause := w.unsettled(now, differs); pause > 0 {
		w.retry = time.After(pause)
		return
	}
	w.differs = differs
	if len(w.differs) == 0 {
		w.failed = nil
	}
	if !w.repair || !slices.ContainsFunc(w.differs, Difference.reparable) {
		return
	}
	if w.failed != nil {
		w.differs = append(w.differs, Difference{ReasonRepair, w.failed})
	}
	if w.failed == nil && w.pace.isSlow(now) {
		w.differs = append([]Difference{{ReasonContested, errContested}}, w.differs...)
	}
	w.tell(w.differs)
	if pause := w.pace.pause(now); pause > 0 {
		w.retry = time.After(pause)
		return
	}
	w.failed = w.mend()
	w.pace.note(now)
	w.differs = w.compare()
	if w.failed != nil {
		w.differs = append(w.differs, Difference{ReasonRepair, w.failed})
		return
	}
	w.news.repaired = true
}

// unsettled returns for how long it must not count yet that only routing differs. At the
// start it does at once.
func (w *Watcher) unsettled(now time.Time, differs []Difference) time.Duration {
	if len(differs) != 1 || differs[0].Reason != ReasonRouting {
		w.rerouted = time.Time{}
		return 0
	}
	if w.rerouted.IsZero() {
		w.rerouted = now
		if !w.inForce.Load() {
			w.rerouted = now.Add(-settleTime)
		}
	}
	return settleTime - now.Sub(w.rerouted)
}

// compare also has the sets read again if anything was changed.
func (w *Watcher) compare() []Difference {
	differs, changed := w.comparison.compare()
	if changed {
		w.Ports.stale()
	}
	return differs
}

// mend puts in force what is not.
func (w *Watcher) mend() error {
	rules := slices.ContainsFunc(w.differs, func(d Difference) bool { return d.reparable() && d.Reason != ReasonRouting })
	if !rules {
		return w.comparison.kernel.applyRouting()
	}
	err := w.comparison.kernel.apply(w.Ports.store.List())
	if err == nil {
		w.comparison.forget()
	}
	return err
}

// tell reports what differs.
func (w *Watcher) tell(differs []Difference) {
	w.inForce.Store(len(differs) == 0)
	w.news.tell(differs, w.changes.author(w.comparison.seen))
}
