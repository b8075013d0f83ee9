package backend

import (
	"context"
	"math/rand/v2"
	"time"
)

// monitor keeps the state of one domain controller current: by active checks
// at the interval, and by connecting to it as long as it is in doubt or
// unreachable.
type monitor struct {
	set *Set
	dc  *DC
	due time.Time // of the next active check
}

// run checks until ctx ends; at once, then when it is time or somebody doubts.
func (m *monitor) run(ctx context.Context) {
	var last time.Time
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-m.dc.wake:
			if wait := checkGap - time.Since(last); wait > 0 {
				timer.Reset(wait)
				continue
			}
		case <-timer.C:
		}
		last = time.Now()
		m.check(ctx)
		if wait, ok := m.next(last); ok {
			timer.Reset(wait)
		} else {
			timer.Stop()
		}
	}
}

// next returns how long to wait after a check that began at that time. ok is
// false when there is nothing to wait for but a doubt.
func (m *monitor) next(began time.Time) (wait time.Duration, ok bool) {
	wait = time.Until(m.due)
	if m.inTrouble() {
		wait = min(m.set.o.Interval, promptly) - time.Since(began)
	} else if m.set.o.Prober == nil {
		return 0, false
	}
	return max(wait, 0), true
}

func (m *monitor) inTrouble() bool {
	return m.dc.doubted.Load() || m.dc.State() == Unreachable
}

// check does what is due.
func (m *monitor) check(ctx context.Context) {
	if m.dc.State() == Unreachable {
		m.recheck(ctx)
		return
	}
	if m.dc.doubted.Swap(false) {
		m.connect(ctx)
	}
	if time.Now().Before(m.due) || m.inTrouble() {
		return
	}
	if m.probes() {
		m.probe(ctx)
	} else {
		m.due = time.Now().Add(m.set.o.Interval)
	}
}

// probes reports whether there are active checks. A discovered address is
// checked once it is known to be a domain controller.
func (m *monitor) probes() bool {
	return m.set.o.Prober != nil && (!m.dc.discovered || len(m.dc.NSPI()) > 0)
}

// probe runs one active check and draws the conclusions.
func (m *monitor) probe(ctx context.Context) {
	r, ok := m.ask(ctx)
	if !ok {
		return
	}
	switch {
	case r.serves():
		m.dc.checked(true, "")
	case r.Reachable:
		m.dc.checked(false, r.Err)
	case m.connect(ctx) == connected:
		// It is reachable all the same: the check failed at something else.
		m.dc.checked(false, r.Err)
	}
}

// ask runs the active check. ok is false when ctx has ended.
func (m *monitor) ask(ctx context.Context) (r Result, ok bool) {
	if r, ok = m.set.probe(ctx, m.dc); ok {
		m.due = time.Now().Add(jitter(m.set.o.Interval))
		m.dc.probed.Store(&r)
	}
	return r, ok
}

// connect connects, and stays in doubt if that fails.
func (m *monitor) connect(ctx context.Context) outcome {
	began := time.Now()
	o, reason := m.set.reach(ctx, m.dc)
	if o != connected {
		m.dc.doubted.Store(true)
	}
	m.conclude(o, began, reason)
	return o
}

// recheck looks whether an unreachable domain controller is back. If it takes
// connections, an active check finds out at once what it is back as.
func (m *monitor) recheck(ctx context.Context) {
	began := time.Now()
	o, reason := m.set.reach(ctx, m.dc)
	if o == connected && m.probes() {
		r, ok := m.ask(ctx)
		if !ok {
			return
		}
		reason = r.Err
		m.dc.checked(r.serves(), reason)
	}
	m.conclude(o, began, reason)
}

// conclude notes what a check by connecting has shown, and reports a host from
// which nothing comes.
func (m *monitor) conclude(o outcome, began time.Time, reason string) {
	m.dc.saw(o, true, began, reason)
	if o != unanswered {
		return
	}
	if d, ok := m.dc.silent(time.Now()); ok {
		m.set.o.OnSilent(m.dc.Addr, d)
	}
}

// probe calls the Prober when there is a place. ok is false when ctx has ended.
func (s *Set) probe(ctx context.Context, dc *DC) (r Result, ok bool) {
	select {
	case s.probing <- struct{}{}:
		defer func() { <-s.probing }()
	case <-ctx.Done():
		return Result{}, false
	}
	timed, cancel := context.WithTimeout(ctx, s.o.Timeout)
	defer cancel()
	t := Target{Name: dc.Name, Addr: dc.Addr, EPMPort: dc.EPM.Port(), NSPIPort: dc.nspiPort}
	r = s.o.Prober(timed, t)
	return r, ctx.Err() == nil
}

// jitter returns d give or take a tenth, so that checks of many domain
// controllers do not stay in step.
func jitter(d time.Duration) time.Duration {
	tenth := d / 10
	if tenth <= 0 {
		return d
	}
	return d - tenth + rand.N(2*tenth)
}
