package directory

import (
	"sync"
	"time"
)

// The pause after a connection could not be made, in which no other is tried. A
// domain locks an account after several wrong passwords within minutes: with
// maxPause their number stays below usual thresholds, and a directory that has
// come back is found soon.
const (
	minPause = time.Second
	maxPause = time.Minute
)

// breaker remembers that the directory is down, so that not every look-up waits
// for the time-out. The zero value is ready to use.
type breaker struct {
	mu    sync.Mutex
	pause time.Duration // after the next failure
	until time.Time     // no connection is tried before
	cause error         // of the last failure
}

// open returns why no connection may be tried at now; nil: one may.
func (b *breaker) open(now time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if now.Before(b.until) {
		return b.cause
	}
	return nil
}

// failed records that a connection could not be made. Failures of several workers
// at the same time count once.
func (b *breaker) failed(now time.Time, cause error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.cause = cause
	if now.Before(b.until) {
		return
	}
	b.pause = min(max(2*b.pause, minPause), maxPause)
	b.until = now.Add(b.pause)
}

// connected records that the directory is up.
func (b *breaker) connected() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pause, b.until, b.cause = 0, time.Time{}, nil
}
