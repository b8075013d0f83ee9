package relay

import "sync/atomic"

// counters of one loop, which alone writes them; any goroutine may read them. The
// padding keeps the loops' counters on cache lines of their own.
type counters struct {
	_            [64]byte
	accepted     atomic.Uint64
	ended        atomic.Uint64
	refused      atomic.Uint64
	crowded      atomic.Uint64
	acceptErrors atomic.Uint64
	kept         atomic.Int64 // a gauge
	client       flowCounters
	server       flowCounters
	closed       [causeCount]atomic.Uint64
	_            [64]byte
}

type flowCounters struct{ pdus, bytes, injected atomic.Uint64 }

func (f *flowCounters) addTo(s *Flow) {
	s.PDUs += f.pdus.Load()
	s.Bytes += f.bytes.Load()
	s.Injected += f.injected.Load()
}

// addTo adds the counters to s. What has ended is read before what has begun, so
// that Active cannot come out negative.
func (c *counters) addTo(s *Stats) {
	ended := c.ended.Load()
	accepted := c.accepted.Load()
	s.Active += accepted - ended
	s.Accepted += accepted
	s.Refused += c.refused.Load()
	s.Kept += c.kept.Load()
	s.Crowded += c.crowded.Load()
	s.AcceptErrors += c.acceptErrors.Load()
	c.client.addTo(&s.Client)
	c.server.addTo(&s.Server)
	for i := range c.closed {
		s.Closed[i] += c.closed[i].Load()
	}
}
