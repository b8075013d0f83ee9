package report

import (
	"context"
	"time"

	"github.com/rs/zerolog"

	"github.com/nspiproxy/nspiproxy/proxy/inspect"
)

// recordTick is how often sums of repeated records are looked at.
const recordTick = time.Second

// recorder writes what the loops report, on a goroutine of its own. A log that does not take records holds
// up nothing else: they are summed.
type recorder struct {
	log    zerolog.Logger
	ledger *ledger
}

func newRecorder(log zerolog.Logger, now func() time.Time) *recorder {
	return &recorder{log: log, ledger: newLedger(now)}
}

// put takes the record of an event, without waiting.
func (r *recorder) put(e inspect.Event) {
	if x, ok := entryOf(e); ok {
		r.ledger.add(x)
	}
}

// run writes records until ctx ends, and then all that was taken so far.
func (r *recorder) run(ctx context.Context) {
	tick := time.NewTicker(recordTick)
	defer tick.Stop()
	for {
		select {
		case <-r.ledger.wakeup:
			r.write()
		case <-tick.C:
			r.ledger.flush(false)
			r.write()
		case <-ctx.Done():
			r.write()
			r.ledger.flush(true)
			r.write()
			return
		}
	}
}

// write writes the lines that are ready.
func (r *recorder) write() {
	for _, x := range r.ledger.take() {
		x.write(&r.log)
	}
}
