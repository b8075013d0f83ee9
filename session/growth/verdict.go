package growth

import (
	"fmt"
	"math"
	"time"
)

// Verdict says what becomes of the sessions of a client or user.
type Verdict uint8

// The verdicts; doc.go has their rules.
const (
	Normal Verdict = iota
	Heavy
	Leaking
	Burst
)

// String returns the verdict as logs and listings name it.
func (v Verdict) String() string {
	switch v {
	case Normal:
		return "normal"
	case Heavy:
		return "heavy"
	case Leaking:
		return "leaking"
	case Burst:
		return "burst"
	}
	return fmt.Sprintf("verdict(%d)", uint8(v))
}

const (
	// fewShare is the part of the limit below which a rise hurts no one, and fewest how many sessions
	// that is where there is no limit: more than the programs of a person hold on all machines.
	fewShare = 0.25
	fewest   = 12
	// patience is how long a program may take until it unbinds what it has bound.
	patience = 10 * time.Minute
	// leakShare is the part of the binds of which fewer are unbound in a leak.
	leakShare = 0.5
	// leakPause is for how long a leak may rest: over a night or a holiday.
	leakPause = 24 * time.Hour
	// heavyShare is the part of the limit above which a user is heavy.
	heavyShare = 0.6
)

// leak is one that was found, from when on it is known.
type leak struct {
	found bool
	peak  int32         // the most that was held since then
	at    time.Duration // when that was
}

// Finding is a verdict and what it rests on.
type Finding struct {
	Verdict Verdict
	// PerHour is the estimated growth of held sessions, and Bound what it exceeds with 95 %
	// certainty. Both are 0 where they do not rise all the time, unless a leak is known.
	PerHour, Bound float64
	// Unbound is the part of the binds of the window, older than ten minutes, that have had
	// their unbind.
	Unbound float64
	// FullIn is when a leak will have come to the limit; 0: there is no forecast.
	FullIn time.Duration
}

// Judge returns what becomes of the sessions. A negative limit is none.
func (s *Series) Judge(now time.Duration, limit int) (f Finding) {
	s.advance(now)
	s.followLeak(now, limit)
	if s.bursts(now, limit) {
		f.Verdict = Burst
	}
	if s.held < few(limit) {
		return f
	}
	e := s.growth()
	f.PerHour, f.Bound, f.Unbound = float64(e.median), float64(e.bound), s.unbound()
	if e.rises() && f.Unbound < leakShare && !s.leak.found {
		s.leak = leak{found: true, peak: s.held, at: now}
	}
	held := int(s.held)
	switch {
	case f.Verdict == Burst:
	case s.leak.found:
		f.Verdict = Leaking
		f.FullIn = fullIn(held, limit, f.PerHour)
	case limit > 0 && float64(held) > heavyShare*float64(limit):
		f.Verdict = Heavy
	}
	return f
}

// few returns how many sessions are too few for a leak.
func few(limit int) int32 {
	if limit < 0 {
		return fewest
	}
	return int32(max(1, math.Ceil(fewShare*float64(limit))))
}

// followLeak ends a leak whose sessions are gone, and one that does not go on although the limit
// lets it.
func (s *Series) followLeak(now time.Duration, limit int) {
	l := &s.leak
	if !l.found {
		return
	}
	if s.held > l.peak {
		l.peak, l.at = s.held, now
	}
	rests := now-l.at > leakPause && (limit < 0 || int(s.held) < limit)
	if s.held < few(limit) || 2*s.held < l.peak || rests {
		*l = leak{}
	}
}

// fullIn returns when the limit is reached at a rate per hour.
func fullIn(held, limit int, perHour float64) time.Duration {
	if limit < 0 || held >= limit || perHour <= 0 {
		return 0
	}
	return time.Duration(float64(limit-held) / perHour * float64(time.Hour))
}
