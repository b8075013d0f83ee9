package proxy

import (
	"context"
	"time"

	"github.com/rs/zerolog"
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
	log       zerolog.Logger
	now       func() time.Time
	queue     chan record
	lost      func() // a record did not fit into the queue
	refusal   refusalSums
	once      onceNotes
	referrals onceNotes // names of servers
}

// record is something to be written.
type record interface {
	write(r *recorder)
}

func newRecorder(log zerolog.Logger, now func() time.Time, lost func()) *recorder {
	return &recorder{
		log: log, now: now, lost: lost,
		queue:     make(chan record, recordQueue),
		refusal:   refusalSums{open: make(map[refusalKey]*refusalSum)},
		once:      newOnceNotes(maxNotes),
		referrals: newOnceNotes(maxReferralNames),
	}
}

// put hands a record to the writer without waiting.
func (r *recorder) put(rec record) {
	select {
	case r.queue <- rec:
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
		case rec := <-r.queue:
			rec.write(r)
		case <-tick.C:
			r.refusal.flush(r, r.now(), false)
		case <-ctx.Done():
			r.drain()
			return
		}
	}
}

func (r *recorder) drain() {
	for {
		select {
		case rec := <-r.queue:
			rec.write(r)
		default:
			r.refusal.flush(r, r.now(), true)
			return
		}
	}
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
