package growth

import (
	"math"
	"slices"
	"time"
)

const (
	// minLevels is how many levels an estimate needs.
	minLevels = 12
	// normal95 is the quantile of the standard normal distribution for a bound of 95 % on one side.
	normal95 = 1.645
	perHour  = float64(time.Hour / Interval)
)

// windows are how many of the latest levels are looked at: the whole window, and two hours for a leak
// that began a while ago and comes to its limit before the window is full of it.
var windows = []int{int(levels), 24}

// estimate is what the levels of a window say about their growth, per hour.
type estimate struct {
	median, bound float32
	steady        bool // each quarter of the window was above the one before it
}

// rises reports whether the levels rise.
func (e estimate) rises() bool { return e.steady && e.bound > 0 }

// measured is the estimate of the window in which the levels rise, or of the whole one.
type measured struct {
	estimate
	at int64 // the interval in which it was made, and 1
}

// growth returns the estimate for the present interval. It is made once in each.
func (s *Series) growth() estimate {
	if s.measured.at != s.latest+1 {
		s.measured = measured{s.measure(), s.latest + 1}
	}
	return s.measured.estimate
}

func (s *Series) measure() (whole estimate) {
	var room [levels]float64
	y := room[:0]
	for k := s.oldest(); k <= s.latest; k++ {
		y = append(y, float64(s.at(k).level))
	}
	for n, length := range windows {
		e := estimateOf(y[max(0, len(y)-length):], s.leak.found)
		if n == 0 {
			whole = e
		}
		if e.rises() {
			return e
		}
	}
	return whole
}

// estimateOf makes no estimate where it is not needed: levels that do not rise all the time are no
// leak, and only a leak that is known has a forecast.
func estimateOf(y []float64, known bool) (e estimate) {
	if len(y) < minLevels {
		return e
	}
	if e.steady = isSteady(y); !e.steady && !known {
		return e
	}
	median, bound := slope(y)
	e.median, e.bound = float32(median*perHour), float32(bound*perHour)
	return e
}

// slope estimates by how much a level rises from one to the next: the median of the slopes
// between all pairs of levels (Theil 1950, Sen 1968), and the bound that it exceeds with 95 %
// certainty: the slope whose rank is that of the median less half of 1.645 deviations of
// Kendall's statistic.
func slope(y []float64) (median, bound float64) {
	n := len(y)
	var all [levels * (levels - 1) / 2]float64
	pairs := all[:0]
	for i := range n {
		for j := i + 1; j < n; j++ {
			pairs = append(pairs, (y[j]-y[i])/float64(j-i))
		}
	}
	slices.Sort(pairs)
	deviation := math.Sqrt(float64(n*(n-1)*(2*n+5)) / 18)
	rank := int((float64(len(pairs)) - normal95*deviation) / 2)
	return medianOf(pairs), pairs[max(0, rank)]
}

// parts is into how many parts levels are divided to see whether they rise all the time.
const parts = 4

// isSteady reports whether the median of each part of y is above that of the part before: a
// program that opens its sessions when it starts, and keeps them, has risen, too.
func isSteady(y []float64) bool {
	length := len(y) / parts
	before := -1.0
	for n := range parts {
		part := slices.Clone(y[n*length : (n+1)*length])
		slices.Sort(part)
		median := medianOf(part)
		if median <= before {
			return false
		}
		before = median
	}
	return true
}

func medianOf(sorted []float64) float64 {
	n := len(sorted)
	if n%2 == 1 {
		return sorted[n/2]
	}
	return (sorted[n/2-1] + sorted[n/2]) / 2
}
