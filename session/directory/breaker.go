package directory

import (
	"sync"
	"time"
)

// The pause before the next attempt to reach a directory that is down. A domain locks an
// account after several wrong passwords within minutes: with maxPause their number
// stays below usual thresholds, and a directory that has come back is found soon.
const (
	minPause = time.Second
	maxPause = time.Minute
)

// breaker remembers that the directory is down, so that no look-up waits for it. The
// first failure opens it: a connection that could not be made, or a look-up without an
// answer in time. It is closed by a connection that was made, which is tried in
// the background and never for a look-up.
type breaker struct {
	mu    sync.Mutex
	cause error // of the last failure; nil: the directory is up
}

// open returns why the directory is not asked; nil: it is.
func (b *breaker) open() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.cause
}

// failed records a failure, and returns true for the first one.
func (b *breaker) failed(cause error) (first bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	first = b.cause == nil
	b.cause = cause
	return first
}

// connected records that the directory is up, and returns true if it was down.
func (b *breaker) connected() (first bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	first = b.cause != nil
	b.cause = nil
	return first
}

// failed opens the breaker, and has the directory tried in the background.
func (d *Directory) failed(cause error) {
	if !d.breaker.failed(cause) {
		return
	}
	d.changed(cause)
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.closed {
		d.pending.Go(d.recover)
	}
}

// changed tells whether the directory is down, nil: not any more.
func (d *Directory) changed(cause error) {
	if d.config.Changed != nil {
		d.config.Changed(cause)
	}
}

// longer is the pause after one that was not long enough.
func longer(pause time.Duration) time.Duration { return min(2*pause, maxPause) }

// recover connects to a directory that is down until it succeeds.
func (d *Directory) recover() {
	for pause := minPause; d.breaker.open() != nil; pause = longer(pause) {
		select {
		case <-time.After(pause):
		case <-d.running.Done():
			return
		}
		if l, err := d.connect(); err == nil {
			l.close()
		}
	}
}
