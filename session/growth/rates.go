package growth

import "time"

// The spans in which events of the last hour are counted.
const (
	fine   = 5 * time.Second
	coarse = time.Minute

	fines   = int64(time.Minute / fine)
	coarses = int64(time.Hour / coarse)
)

// Rate is per minute.
type Rate struct {
	Binds  float64 // sessions granted
	Growth float64 // these less those that have ended
}

// rates counts the events of the last hour.
type rates struct {
	fine   counts[[fines]count]
	coarse counts[[coarses]count]
}

// count is what has happened in a span.
type count struct {
	binds uint16
	grown int16
}

type counts[A any] struct {
	latest int64 // the number of the present span
	ring   A
}

func (r *rates) add(now time.Duration, binds, grown int) {
	tally(r.fine.ring[:], &r.fine.latest, int64(now/fine), binds, grown)
	tally(r.coarse.ring[:], &r.coarse.latest, int64(now/coarse), binds, grown)
}

// tally counts an event in span k of a ring, and empties the spans that have passed.
func tally(ring []count, latest *int64, k int64, binds, grown int) {
	size := int64(len(ring))
	for n := max(*latest+1, k-size+1); n <= k; n++ {
		ring[n%size] = count{}
	}
	*latest = max(*latest, k)
	x := &ring[*latest%size]
	x.binds = clip(int32(x.binds) + int32(binds))
	x.grown = int16(min(max(int(x.grown)+grown, -1<<15), 1<<15-1))
}

// change is what some spans had together.
type change struct {
	binds, grown int
	rising       int // spans that have grown
	most         int // the growth of the one that has grown most
}

// sum adds up the last n spans up to k.
func sum(ring []count, latest, k int64, n int64) (c change) {
	size := int64(len(ring))
	for j := max(0, k-n+1, latest-size+1); j <= min(k, latest); j++ {
		x := ring[j%size]
		c.binds += int(x.binds)
		c.grown += int(x.grown)
		c.most = max(c.most, int(x.grown))
		if x.grown > 0 {
			c.rising++
		}
	}
	return c
}

// within returns what the last minutes had: by spans of five seconds for one minute, by whole
// minutes for more.
func (r *rates) within(now time.Duration, minutes int64) change {
	if minutes == 1 {
		return sum(r.fine.ring[:], r.fine.latest, int64(now/fine), fines)
	}
	return sum(r.coarse.ring[:], r.coarse.latest, int64(now/coarse), minutes)
}

// Rate returns the means of the last minutes, 1 to 60, per minute. The present span is one of
// them, however much of it is over.
func (s *Series) Rate(now time.Duration, minutes int) Rate {
	n := int64(min(max(minutes, 1), int(coarses)))
	c := s.rates.within(now, n)
	return Rate{Binds: float64(c.binds) / float64(n), Growth: float64(c.grown) / float64(n)}
}
