package backend

import "time"

// DialOK records that a connection for a client to port was made.
func (dc *DC) DialOK(port uint16) {
	dc.observe(observation{kind: attemptEnded, outcome: connected, port: port})
}

// DialFailed records that a connection for a client to port failed. timeout says
// that nothing came back: neither a connection nor a refusal, or that there is
// no route to the host.
//
// It must not be called for failures of this machine (no free port, no
// descriptor), which say nothing about the domain controller.
func (dc *DC) DialFailed(port uint16, timeout bool) {
	o := observation{kind: attemptEnded, outcome: refused, port: port, began: time.Now(), reason: "connections of clients are refused"}
	if timeout {
		o.outcome, o.reason = unanswered, "connections of clients are not answered"
	}
	dc.observe(o)
}

// ClientOK records that a connection to port was made under a client's own
// address.
func (dc *DC) ClientOK(port uint16) {
	dc.observe(observation{kind: clientAttemptEnded, outcome: connected, port: port})
}

// ClientFailed records that a connection under a client's own address failed. It
// has the domain controller checked, but is no evidence against it: this client
// alone may not be let in.
func (dc *DC) ClientFailed() {
	dc.observe(observation{kind: clientAttemptEnded, outcome: unanswered, at: time.Now()})
}

// TryTrial reports whether a client may connect under its own address. Where that
// is expected to fail, because neither this machine nor the last client could
// connect, one client in every trialInterval may try: for that client it returns
// true, and uses up the trial.
func (dc *DC) TryTrial() bool {
	if !dc.health.Load().needsTrial() {
		return true
	}
	return dc.observe(observation{kind: trialRequested, at: time.Now()}).trial
}

// observe publishes what an observation changes, reports the events of the
// change, and wakes the monitor if it must check. What is left to do is in the
// effects: it may wait, and belongs outside of the lock.
func (dc *DC) observe(o observation) effects {
	now := dc.health.Load()
	next, e := dc.reducer.next(*now, o)
	if next != *now {
		e = dc.publish(o)
	}
	if e.wake {
		select {
		case dc.wake <- struct{}{}:
		default: // it will wake anyway
		}
	}
	return e
}

// publish replaces the health by the one after an observation.
func (dc *DC) publish(o observation) effects {
	dc.mu.Lock()
	defer dc.mu.Unlock()
	next, e := dc.reducer.next(*dc.health.Load(), o)
	dc.health.Store(&next)
	for _, event := range e.events {
		event.Backend, event.DC, event.Reason = dc.BackendName(), dc.Name, printable(event.Reason)
		dc.onEvent(event)
	}
	return e
}
