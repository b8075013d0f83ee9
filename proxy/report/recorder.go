package report

import (
	"context"
	"time"

	"github.com/rs/zerolog"

	"github.com/nspiproxy/nspiproxy/proxy/inspect"
)

const (
	// recordQueue is how many records may wait for the writer. A log that
	// blocks must never block a loop: what does not fit is counted and lost.
	recordQueue = 4096
	// recordTick is how often sums of repeated refusals are looked at.
	recordTick = time.Second
)

// recorder writes what the loops report, on a goroutine of its own.
type recorder struct {
	log          zerolog.Logger
	now          func() time.Time
	queue        chan inspect.Event
	lost         func() // a record did not fit into the queue
	limits       sums[limitKey, limitRecord]
	closings     sums[closedKey, closedRecord]
	unreadable   sums[unreadableKey, unreadableRecord]
	intercepts   sums[interceptedKey, interceptedRecord]
	associations sums[associationKey, associationRecord]
	controllers  sums[controllerKey, controllerRecord]
	once         onceNotes
	referrals    onceNotes // names of servers
}

func newRecorder(log zerolog.Logger, now func() time.Time, lost func()) *recorder {
	r := &recorder{
		log: log, now: now, lost: lost,
		queue:        make(chan inspect.Event, recordQueue),
		limits:       newSums[limitKey, limitRecord](),
		closings:     newSums[closedKey, closedRecord](),
		unreadable:   newSums[unreadableKey, unreadableRecord](),
		intercepts:   newSums[interceptedKey, interceptedRecord](),
		associations: newSums[associationKey, associationRecord](),
		controllers:  newSums[controllerKey, controllerRecord](),
		once:         newOnceNotes(maxNotes),
		referrals:    newOnceNotes(maxReferralNames),
	}
	r.intercepts.burst, r.associations.burst, r.controllers.burst = interceptBurst-1, associationBurst-1, controllerBurst-1
	return r
}

// put hands an event to the writer without waiting.
func (r *recorder) put(e inspect.Event) {
	select {
	case r.queue <- e:
	default:
		r.lost()
	}
}

// run writes records until ctx ends, and then what is still in the queue.
func (r *recorder) run(ctx context.Context) {
	tick := time.NewTicker(recordTick)
	defer tick.Stop()
	for {
		select {
		case e := <-r.queue:
			r.write(e)
		case <-tick.C:
			r.flush(false)
		case <-ctx.Done():
			r.drain()
			return
		}
	}
}

func (r *recorder) drain() {
	for {
		select {
		case e := <-r.queue:
			r.write(e)
		default:
			r.flush(true)
			return
		}
	}
}

// write writes the record of an event, or counts it where records are summed.
func (r *recorder) write(e inspect.Event) {
	switch e := e.(type) {
	case inspect.LimitExceeded:
		limitRecord(e).add(r)
	case inspect.Closed:
		closedRecord(e).add(r)
	case inspect.IdentityUnreadable:
		unreadableRecord(e).add(r)
	case inspect.BindAnswered:
		r.refusedUpstream(e)
	case inspect.Violation:
		r.violation(e)
	case inspect.AssociationRefused:
		associationRecord(e).add(r)
	case inspect.Referral:
		r.referral(e)
	case inspect.ControllerChanged:
		controllerRecord(e).add(r)
	case inspect.Listening:
		r.listening(e)
	case inspect.PathProblem:
		r.pathProblem(e)
	case inspect.Counted:
		r.log.WithLevel(levelOf(e)).Str("event", "identity.how").Str("who", e.Who).Msg(e.How)
	case inspect.InterceptedPorts:
		interceptedRecord(e).add(r)
	case inspect.PortStore, inspect.ConnectionsPass, inspect.KeysLoaded,
		inspect.ConnectionFile, inspect.ConnectionsLeft:
		r.program(e)
	case inspect.PathMoved, inspect.StandbySocket:
		r.path(e)
	default:
		r.find(e)
	}
}

// flush writes the sums that are due, or all.
func (r *recorder) flush(all bool) {
	r.limits.flush(r, all)
	r.closings.flush(r, all)
	r.unreadable.flush(r, all)
	r.intercepts.flush(r, all)
	r.associations.flush(r, all)
	r.controllers.flush(r, all)
}

// maxText is how much of a text from the network is written, in bytes.
const maxText = 256

// clip shortens text from the network. The log writer escapes it.
func clip(s string) string {
	if len(s) > maxText {
		return s[:maxText] + "…"
	}
	return s
}
