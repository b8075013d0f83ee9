package directory

import (
	"sync"
	"time"
)

// How long nobody is asked after a connection could not be made. Locking a
// domain's account takes several wrong passwords in a row within minutes; the
// greatest pause keeps below usual thresholds without hiding a directory that
// has come back.
const (
	minPause = time.Second
	maxPause = time.Minute
)

// breaker remembers that the directory is down, so that not every name has to
// wait for the time-out to learn it. The zero value is ready.
type breaker struct {
	mu    sync.Mutex
	pause time.Duration // after the next failure
	until time.Time     // no connection is tried before
	cause error         // of the last failure
}

// open returns why nobody is asked at now, nil if somebody may be.
func (b *breaker) open(now time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if now.Before(b.until) {
		return b.cause
	}
	return nil
}

// failed notes that a connection could not be made. Failures of others who
// tried at the same time count once.
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

// connected notes that the directory is up.
func (b *breaker) connected() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pause, b.until, b.cause = 0, time.Time{}, nil
}
