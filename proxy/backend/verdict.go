package backend

import "time"

// DialOK notes that a connection for a client got through to port.
func (dc *DC) DialOK(port uint16) {
	if port != dc.EPM.Port() {
		dc.dialled.Store(uint32(port))
	}
	dc.came(dc.counts(port))
}

// came notes a connect that succeeded, outside of a check. One to a domain
// controller that is unreachable has that checked at once.
func (dc *DC) came(counts bool) {
	if !dc.troubled.Load() {
		return
	}
	dc.saw(connected, counts, time.Now(), "")
	if dc.State() == Unreachable {
		dc.rouse()
	}
}

// heard notes that the host has answered something.
func (dc *DC) heard() {
	if dc.troubled.Load() {
		dc.saw(connected, false, time.Now(), "")
	}
}

// DialFailed notes that a connection for a client to port failed. timeout says
// that nothing came back: neither a connection nor a refusal, or that there is
// no route to the host.
//
// Not for failures of this machine (no free port, no descriptor), which are
// nobody's fault.
func (dc *DC) DialFailed(port uint16, timeout bool) {
	o, reason := refused, "connections of clients are refused"
	if timeout {
		o, reason = unanswered, "connections of clients are not answered"
	}
	dc.saw(o, dc.counts(port), time.Now(), reason)
	dc.doubt()
}

// saw notes what became of an attempt to connect that began at that time.
// counts says whether it is one that the state is about.
func (dc *DC) saw(o outcome, counts bool, began time.Time, reason string) {
	dc.change(reason, func() {
		switch o {
		case connected, refused:
			dc.silence.answered()
		case unanswered:
			dc.silence.unanswered(began)
		case undecided:
			return
		}
		if counts && o == connected {
			dc.health.connected()
		} else if counts {
			dc.health.failure()
		}
	})
}

// checked notes what an active check found.
func (dc *DC) checked(serves bool, reason string) {
	dc.change(reason, func() { dc.health.checked(serves) })
}

// change lets f change health and silence, and tells of a new state. Nothing
// changes while nobody attends to it: who would find out that it is back?
func (dc *DC) change(reason string, f func()) {
	dc.mu.Lock()
	defer dc.mu.Unlock()
	if !dc.attended.Load() {
		return
	}
	f()
	before, now := dc.publish()
	if before == now {
		return
	}
	e := Event{Kind: DCDown, Backend: dc.BackendName(), DC: dc.Name, State: now, Reason: printable(reason)}
	if now == Serving {
		e.Kind, e.Reason = DCUp, ""
	}
	dc.onEvent(e)
}

// publish shows the state to readers without a lock.
func (dc *DC) publish() (before, now State) {
	now = dc.health.state
	dc.troubled.Store(dc.health.troubled() || dc.silence.attempts > 0)
	return State(dc.state.Swap(uint32(now))), now
}

// attend begins or ends its being looked after. In both cases it is taken for
// serving.
func (dc *DC) attend(on bool) {
	dc.mu.Lock()
	defer dc.mu.Unlock()
	dc.attended.Store(on)
	dc.health = health{rise: dc.health.rise, fall: dc.health.fall}
	dc.silence.answered()
	dc.doubted.Store(false)
	dc.publish()
}

// silent returns how long nothing at all has answered, if it is unreachable for
// as many attempts as make it so, and starts a new row of attempts.
func (dc *DC) silent(now time.Time) (d time.Duration, ok bool) {
	dc.mu.Lock()
	defer dc.mu.Unlock()
	if dc.health.state != Unreachable || dc.silence.attempts < dc.health.fall {
		return 0, false
	}
	d = now.Sub(dc.silence.since)
	dc.silence = silence{reported: true}
	dc.publish()
	return d, true
}

// doubt has it checked soon, and promptly until a check succeeds.
func (dc *DC) doubt() {
	if dc.doubted.CompareAndSwap(false, true) {
		dc.rouse()
	}
}

// rouse wakes its monitor.
func (dc *DC) rouse() {
	select {
	case dc.wake <- struct{}{}:
	default:
	}
}
