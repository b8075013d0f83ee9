package growth

import "time"

// leastRise is how many sessions a burst adds at least; with a small limit a part of it, fewShare.
const leastRise = 6

// reachedTime is for how many minutes a burst is one after it has come to the limit.
const reachedTime = 20

// rise is one way in which a level can come to its limit soon: sessions are added in so many of
// the last spans, and at this rate the limit is no further than a time.
type rise struct {
	minutes int64 // how far back it looks
	rising  int   // spans with more binds than ends: of five seconds in one minute, else of a minute
	within  time.Duration
}

// rises are the bursts. A program that opens all its sessions when it starts does so in fewer spans.
var rises = []rise{
	{minutes: 1, rising: 4, within: 10 * time.Minute},
	{minutes: 3, rising: 3, within: 10 * time.Minute},
	{minutes: 20, rising: 7, within: time.Hour},
}

// bursts reports whether the level rises so fast, above what was held before, that the limit is minutes away
// or reached.
func (s *Series) bursts(now time.Duration, limit int) bool {
	held, least := int(s.held), min(leastRise, int(few(limit)))
	if limit < 0 || held < least || held < s.peaks.highest()+least {
		return false
	}
	if held >= limit {
		return s.rates.within(now, reachedTime).grown >= int(few(limit))
	}
	for _, r := range rises {
		x := s.rates.within(now, r.minutes)
		steady := float64(x.grown - x.most) // a step is no rate
		if x.rising >= r.rising && steady*(r.within.Minutes()/float64(r.minutes)) >= float64(limit-held) {
			return true
		}
	}
	return false
}
