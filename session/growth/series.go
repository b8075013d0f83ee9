package growth

import "time"

const (
	// Interval is how far the levels of a series are apart.
	Interval = 5 * time.Minute
	// Window is how far back a series goes: a slow leak of a few sessions an hour stands out
	// there from the coming and going of a morning.
	Window = 6 * time.Hour

	levels = int64(Window / Interval)
)

// Series is what is known of the sessions that somebody holds. The zero value holds none.
// It takes less than 1 KiB.
type Series struct {
	held     int32
	begun    bool
	first    int64 // the number of the interval in which it began
	latest   int64 // and of the present one
	spans    [levels]span
	peaks    peaks
	rates    rates
	measured measured
	leak     leak
}

// span is one interval of a series.
type span struct {
	level   uint16 // sessions held at its end, or now
	bound   uint16 // binds in it
	unbound uint16 // of these: ended by an unbind, in it or later
}

// Held returns how many sessions are held.
func (s *Series) Held() int { return int(s.held) }

// Bound notes that a session was granted.
func (s *Series) Bound(now time.Duration) {
	s.advance(now)
	s.held++
	x := s.at(s.latest)
	x.level = clip(s.held)
	x.bound = increased(x.bound)
	s.rates.add(now, 1, 1)
}

// Ended notes that a session ended which was granted at since, and whether it was unbound.
func (s *Series) Ended(now, since time.Duration, unbound bool) {
	s.advance(now)
	s.held = max(0, s.held-1)
	s.at(s.latest).level = clip(s.held)
	s.rates.add(now, 0, -1)
	if k := int64(since / Interval); unbound && s.has(k) {
		s.at(k).unbound = increased(s.at(k).unbound)
	}
}

// advance brings the series to the present: nothing has changed since its latest interval.
func (s *Series) advance(now time.Duration) {
	k := int64(now / Interval)
	if !s.begun {
		s.begun, s.first, s.latest = true, k, k
	}
	for n := max(s.latest+1, k-levels-settled+1); n <= k; n++ {
		switch past := n - settled; {
		case past > s.latest:
			s.peaks.note(past, clip(s.held))
		case past >= s.first:
			s.peaks.note(past, s.at(past).level)
		}
		*s.at(n) = span{level: clip(s.held)}
	}
	s.latest = max(s.latest, k) // the clock does not go back
}

func (s *Series) at(k int64) *span { return &s.spans[k%levels] }

// has reports whether an interval is in the window.
func (s *Series) has(k int64) bool {
	return k >= s.first && k > s.latest-levels && k <= s.latest
}

// oldest is the first interval in the window.
func (s *Series) oldest() int64 { return max(s.first, s.latest-levels+1) }

// unbound returns which part of the binds in the window has had its unbind, but for the
// binds of the last ten minutes.
func (s *Series) unbound() float64 {
	bound, unbound := 0, 0
	for k := s.oldest(); k <= s.latest-int64(patience/Interval); k++ {
		bound += int(s.at(k).bound)
		unbound += int(s.at(k).unbound)
	}
	if bound == 0 {
		return 0
	}
	return float64(unbound) / float64(bound)
}

func clip(n int32) uint16 { return uint16(min(n, 1<<16-1)) }

func increased(n uint16) uint16 { return clip(int32(n) + 1) }
