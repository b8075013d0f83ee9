package growth

import "time"

const (
	// peakTime is for how long the highest levels are known, so that what comes back each night, each
	// Monday, or after a restart of a domain controller is not taken for a burst.
	peakTime = 8 * 24 * time.Hour
	// settled is when a level counts as one that was held, in intervals: a rise that goes on for less
	// is not measured by itself.
	settled = int64(time.Hour / Interval)

	peakSpans = int64(peakTime / Window)
)

// peaks are the highest levels at the ends of intervals, for each six hours of the last eight days.
type peaks struct {
	latest int64
	high   [peakSpans]uint16
}

// note notes the level at the end of an interval.
func (p *peaks) note(interval int64, level uint16) {
	k := interval / levels
	for n := max(p.latest+1, k-peakSpans+1); n <= k; n++ {
		p.high[n%peakSpans] = 0
	}
	p.latest = max(p.latest, k)
	p.high[k%peakSpans] = max(p.high[k%peakSpans], level)
}

// highest returns the highest level of them all.
func (p *peaks) highest() (n int) {
	for _, h := range p.high {
		n = max(n, int(h))
	}
	return n
}
