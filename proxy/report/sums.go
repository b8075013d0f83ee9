package report

import (
	"time"

	"github.com/rs/zerolog"
)

const (
	// sumWindow is how long repeated records are summed.
	sumWindow = time.Minute
	// maxSums is how many are summed at once; a client that invents names cannot
	// fill the memory. Further ones share a sum.
	maxSums = 10000
)

// repeatable is a record that may come very often.
type repeatable interface {
	// event fills a log record.
	event(r *recorder) *zerolog.Event
	message() string
}

// sums writes the first record of a key at once and sums the following ones for
// a minute.
type sums[K comparable, R repeatable] struct {
	open  map[K]*sum[R]
	burst int // how many more are written at once within that minute
}

// sum counts records after those that were written at once.
type sum[R repeatable] struct {
	since    time.Time
	written  int // after the first one
	repeated int
	last     R
}

func newSums[K comparable, R repeatable]() sums[K, R] { return sums[K, R]{open: make(map[K]*sum[R])} }

// add takes a record; where there are too many keys it counts for overflow.
func (s *sums[K, R]) add(r *recorder, key, overflow K, rec R) {
	now := s.open[key]
	if now == nil && len(s.open) >= maxSums {
		key = overflow
		now = s.open[key]
	}
	if now == nil {
		s.open[key] = &sum[R]{since: r.now()}
		rec.event(r).Msg(rec.message())
		return
	}
	if now.written < s.burst {
		now.written++
		rec.event(r).Msg(rec.message())
		return
	}
	now.repeated++
	now.last = rec
}

// flush writes the sums whose minute is over, or all of them.
func (s *sums[K, R]) flush(r *recorder, all bool) {
	now := r.now()
	for key, sum := range s.open {
		if !all && now.Sub(sum.since) < sumWindow {
			continue
		}
		if sum.repeated == 0 {
			delete(s.open, key)
			continue
		}
		sum.last.event(r).Int("repeated", sum.repeated).Int64("within_ms", now.Sub(sum.since).Milliseconds()).Msg(sum.last.message())
		sum.since, sum.repeated, sum.written = now, 0, 0
	}
}
