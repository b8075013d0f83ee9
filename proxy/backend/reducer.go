package backend

import (
	"slices"
	"time"
)

// trialInterval is how often a client may try to reach a domain controller that
// neither this machine nor the last client could reach. If a firewall on it lets
// in clients and not this machine, nothing else shows that it is back.
const trialInterval = 10 * time.Second

// reducer decides what an observation means for the health of an address. It is
// a pure function of the two: it has no clock, no lock and no goroutine. The
// table of states in doc.go is drawn from it.
type reducer struct {
	rise, fall int    // how many observations in a row change the state
	epmPort    uint16 // of the endpoint mapper
	probes     bool   // there are active checks, which alone say that it serves
}

// next returns the health after an observation, and what else follows from it.
func (r reducer) next(h health, o observation) (health, effects) {
	var e effects
	before := h.state
	switch o.kind {
	case monitoringBegun, monitoringEnded:
		return h.restarted(o.kind == monitoringBegun), e // the state was not observed: there is no event
	case priorityNamed:
		h.priority = o.number
	case trialRequested:
		if h.needsTrial() && o.at.Sub(h.clients.tried) >= trialInterval {
			h.clients.tried, e.trial = o.at, true
		}
	case clientAttemptEnded:
		h.clients.failed = o.outcome != connected
		if h.clients.failed {
			h.clients.tried = o.at
		}
		r.noteReached(&h, o)
	case attemptEnded:
		r.noteReached(&h, o)
	}
	if h.monitored {
		r.judge(&h, o, &e)
	}
	switch first := r.firstSeen(&h, o); {
	case h.state == before && !first:
	case h.state == Serving:
		h.seen = true
		e.events = append(e.events, Event{Kind: DCUp, State: h.state})
	default:
		e.events = append(e.events, Event{Kind: DCDown, State: h.state, Reason: o.reason})
	}
	return h, e
}

// firstSeen notes that a domain controller, which was taken for serving, is seen to serve, and
// returns true for the first time.
func (r reducer) firstSeen(h *health, o observation) bool {
	if h.seen || !h.monitored || h.state != Serving {
		return false
	}
	switch o.kind {
	case attemptEnded:
		h.seen = o.outcome == connected && !r.probes && h.counts(o.port)
	case checkEnded:
		h.seen = o.outcome == connected && !r.probes
	case probeEnded:
		h.seen = o.result.serves()
	}
	return h.seen
}

// restarted returns the health at the beginning or the end of monitoring. In
// both cases the domain controller is taken for serving.
func (h health) restarted(monitored bool) health {
	return health{
		ports: h.ports, process: h.process, reached: h.reached, priority: h.priority, probe: h.probe, clients: h.clients,
		monitored: monitored,
	}
}

// noteReached keeps the port that a client reached, as long as there is nothing
// better to check. The endpoint mapper's is known anyway.
func (r reducer) noteReached(h *health, o observation) {
	if o.outcome == connected && o.port != r.epmPort && h.ports == nil {
		h.reached = o.port
	}
}

// judge changes what monitoring has found out.
func (r reducer) judge(h *health, o observation, e *effects) {
	switch o.kind {
	case attemptEnded:
		r.attempt(h, o, h.counts(o.port))
		if o.outcome != connected {
			h.scheduleCheck(e)
		} else if h.state == Unreachable {
			e.wake = true // it may be back
		}
	case clientAttemptEnded:
		// Perhaps it is this client alone that is not let in: a reason to
		// check, but no evidence.
		if o.outcome != connected {
			h.scheduleCheck(e)
		} else {
			h.silence.began, h.silence.gone = time.Time{}, false
		}
	case hostAnswered:
		h.silence = silence{}
	case hostVanished:
		h.silence.gone = r.silent(h)
	case checkBegun:
		h.checkDue = false
	case checkEnded:
		r.check(h, o, e)
	case probeFailed:
		h.probe = o.result
	case probeEnded:
		h.probe = o.result
		r.probe(h, o.result.serves())
	case mapperSlow:
		h.scheduleCheck(e)
	case mapperAnswered:
		h.silence = silence{}
		h.mapperAnswer(o, e)
	case processAnswered:
		h.processAnswer(o, e)
	case mapperFailed:
		h.mapperFailure(o, e)
	}
}

// scheduleCheck has it checked now, and promptly until a check succeeds.
func (h *health) scheduleCheck(e *effects) {
	if !h.checkDue {
		h.checkDue, e.wake = true, true
	}
}

// attempt counts a connect. counts says whether it is one that the state is
// about; whether the host is silent is decided on all of them.
func (r reducer) attempt(h *health, o observation, counts bool) {
	switch o.outcome {
	case connected, refused:
		h.silence = silence{}
	case unanswered:
		if h.silence.attempts++; h.silence.attempts == 1 || o.began.Before(h.silence.since) {
			h.silence.since = o.began
		}
		if h.silence.began.IsZero() || o.began.Before(h.silence.began) {
			h.silence.began = o.began
		}
	case undecided:
		return
	}
	if counts {
		r.connect(h, o.outcome == connected)
	}
}

// connect counts a connect that the state is about.
func (r reducer) connect(h *health, ok bool) {
	if !r.overturns(&h.connects, ok, h.state != Unreachable) {
		return
	}
	if ok {
		h.reachable()
	} else {
		h.state, h.probes = Unreachable, 0
	}
}

// overturns counts, in inRow, what speaks against an opinion, and reports whether
// that is enough to change it.
func (r reducer) overturns(inRow *int, good, opinion bool) bool {
	if good == opinion {
		*inRow = 0
		return false
	}
	need := r.fall
	if good {
		need = r.rise
	}
	if *inRow++; *inRow < need {
		return false
	}
	*inRow = 0
	return true
}

// reachable takes the state of a domain controller that takes connections from
// the active checks.
func (h *health) reachable() {
	h.state = Serving
	if h.broken {
		h.state = NotServing
	}
}

// check draws the conclusions from the connects of a check.
func (r reducer) check(h *health, o observation, e *effects) {
	if o.outcome != connected {
		h.checkDue = true // again, soon
	}
	r.attempt(h, o, true)
	if o.outcome == unanswered && r.silenceComplete(h) {
		e.silent, e.silentFor = true, o.at.Sub(h.silence.since)
		h.silence = silence{reported: true, began: h.silence.began, gone: h.silence.gone}
	}
}

// silenceComplete reports whether as many attempts in a row were not answered as
// make a domain controller unreachable.
func (r reducer) silenceComplete(h *health) bool {
	return h.state == Unreachable && h.silence.attempts >= r.fall
}

// silent reports whether it is unreachable because nothing at all comes from its
// host: since the current row of attempts, or since one that was reported.
func (r reducer) silent(h *health) bool {
	return r.silenceComplete(h) || h.state == Unreachable && h.silence.reported
}

// gone reports whether nothing has come from the host for patience, or whether its
// connections are silent as well: no client need wait for it.
func (r reducer) gone(h *health, patience time.Duration, now time.Time) bool {
	s := &h.silence
	return r.silent(h) && (s.gone || !s.began.IsZero() && now.Sub(s.began) >= patience)
}

// probe counts the result of an active check. While the domain controller is
// unreachable, the latest one says what it will come back as.
func (r reducer) probe(h *health, serves bool) {
	if h.state == Unreachable {
		h.broken = !serves
		return
	}
	if r.overturns(&h.probes, serves, !h.broken) {
		h.broken = !serves
		h.reachable()
	}
}

// mapperAnswer takes an answer of the endpoint mapper. Ports that are known are
// kept when it names none.
func (h *health) mapperAnswer(o observation, e *effects) {
	if h.mapper.down {
		e.events = append(e.events, Event{Kind: EPMUp})
	}
	before := h.mapper
	h.mapper = mapperHealth{unregistered: len(o.ports) == 0}
	if h.mapper.unregistered {
		if !before.unregistered {
			e.events = append(e.events, Event{Kind: DCPorts, Reason: o.reason})
		}
		return
	}
	if !slices.Equal(o.ports, h.nspi()) {
		ports := o.ports
		h.ports, e.portsChanged = &ports, true
	}
	if e.portsChanged || before.unregistered {
		e.events = append(e.events, Event{Kind: DCPorts, Ports: o.ports})
	}
}

// processAnswer takes what the endpoint mapper has said of the further interfaces of
// the process. Ports that are known are kept when it names none.
func (h *health) processAnswer(o observation, e *effects) {
	h.silence = silence{}
	if h.mapper.down {
		e.events = append(e.events, Event{Kind: EPMUp})
	}
	h.mapper.failures, h.mapper.down = 0, false
	if len(o.ports) == 0 || slices.Equal(o.ports, h.inProcess()) {
		return
	}
	ports := o.ports
	h.process, e.portsChanged = &ports, true
	e.events = append(e.events, Event{Kind: DCProcess, Ports: o.ports})
}

// mapperFailure counts a session without an answer. The first may be the end of
// the domain controller, and one that nothing answered of its host.
func (h *health) mapperFailure(o observation, e *effects) {
	if h.mapper.failures++; h.mapper.failures == 1 || o.outcome == unanswered {
		h.scheduleCheck(e)
	}
	if h.mapper.failures > 1 && !h.mapper.down {
		h.mapper.down = true
		e.events = append(e.events, Event{Kind: EPMDown, Reason: o.reason})
	}
}
