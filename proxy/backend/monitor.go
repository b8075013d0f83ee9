package backend

import (
	"context"
	"math/rand/v2"
	"time"
)

// monitor keeps the health of one domain controller current: by active checks at
// the interval, and by connecting to it while it is degraded.
type monitor struct {
	set *Set
	dc  *DC
	due time.Time // of the next active check
}

// run checks until ctx ends: at once, then when a check is due or asked for.
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
// false when the next check is made only if it is asked for.
func (m *monitor) next(began time.Time) (wait time.Duration, ok bool) {
	wait = time.Until(m.due)
	if m.dc.health.Load().degraded() {
		wait = min(m.set.o.Interval, promptly) - time.Since(began)
	} else if m.set.o.Prober == nil {
		return 0, false
	}
	return max(wait, 0), true
}

// check does what is due.
func (m *monitor) check(ctx context.Context) {
	if m.dc.health.Load().degraded() {
		m.dc.observe(observation{kind: checkBegun})
		m.connect(ctx)
	}
	if time.Now().Before(m.due) || m.dc.health.Load().degraded() {
		return
	}
	if m.probes() {
		m.probe(ctx, false)
	} else {
		m.due = time.Now().Add(m.set.o.Interval)
	}
}

// probes reports whether there are active checks. A discovered address is
// checked once it is known to be a domain controller.
func (m *monitor) probes() bool {
	return m.set.o.Prober != nil && (!m.dc.discovered || len(m.dc.NSPI()) > 0)
}

// connect connects, records what that has shown, and reports a host from which
// nothing comes. If an unreachable domain controller accepts connections, an
// active check first finds out what it is back as.
func (m *monitor) connect(ctx context.Context) outcome {
	began := time.Now()
	o, reason := m.set.reach(ctx, m.dc)
	if o == connected && m.dc.State() == Unreachable && m.probes() {
		if reason = m.probe(ctx, true); ctx.Err() != nil {
			return undecided
		}
	}
	e := m.dc.observe(observation{kind: checkEnded, outcome: o, began: began, at: time.Now(), reason: reason})
	if o != undecided {
		m.set.o.OnCheck(m.dc.Addr, o != unanswered)
	}
	if e.silent {
		m.set.o.OnSilent(m.dc.Addr, e.silentFor)
	}
	return o
}

// probe runs one active check, and returns what was wrong. One that could not
// connect may have failed at something else, such as the endpoint mapper: unless
// the domain controller is known to be reachable, a connect shows whether it is.
// Nothing is recorded if ctx ends.
func (m *monitor) probe(ctx context.Context, reachable bool) (reason string) {
	r, ok := m.set.probe(ctx, m.dc)
	if !ok {
		return ""
	}
	m.due = time.Now().Add(jitter(m.set.o.Interval))
	kind := probeEnded
	if !reachable && !r.Reachable && !r.serves() && m.connect(ctx) != connected {
		kind = probeFailed
	}
	m.dc.observe(observation{kind: kind, result: &r, reason: r.Err})
	return r.Err
}

// probe calls the Prober as soon as fewer than maxProbes run. ok is false when ctx has ended.
func (s *Set) probe(ctx context.Context, dc *DC) (r Result, ok bool) {
	select {
	case s.probing <- struct{}{}:
		defer func() { <-s.probing }()
	case <-ctx.Done():
		return Result{}, false
	}
	timed, cancel := context.WithTimeout(ctx, s.o.Timeout)
	defer cancel()
	t := Target{Name: dc.Name, ServerName: dc.ServerName(), Addr: dc.Addr, EPMPort: dc.EPM.Port(), NSPIPort: dc.nspiPort}
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
