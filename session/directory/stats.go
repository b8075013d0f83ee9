package directory

import (
	"errors"
	"sync/atomic"
)

// Stats counts look-ups since New, by how they ended, and connections.
type Stats struct {
	Cached    uint64 // answered from memory, whatever the answer
	Found     uint64
	NotFound  uint64
	Ambiguous uint64
	Down      uint64 // ErrDown of any kind
	Connects  uint64 // connections made, bind included
	Failures  uint64 // connections that could not be made
	IsDown    bool   // it is not asked at this moment
}

// counts is Stats while it is counted.
type counts struct {
	cached, found, notFound, ambiguous, down, connects, failures atomic.Uint64
}

// Stats returns the counts so far.
func (d *Directory) Stats() Stats {
	c := &d.counts
	return Stats{
		Cached: c.cached.Load(), Found: c.found.Load(), NotFound: c.notFound.Load(), Ambiguous: c.ambiguous.Load(),
		Down: c.down.Load(), Connects: c.connects.Load(), Failures: c.failures.Load(),
		IsDown: d.breaker.open() != nil,
	}
}

// add counts a look-up that ended with err.
func (c *counts) add(err error) {
	switch {
	case err == nil:
		c.found.Add(1)
	case errors.Is(err, ErrNotFound):
		c.notFound.Add(1)
	case errors.Is(err, ErrAmbiguous):
		c.ambiguous.Add(1)
	default:
		c.down.Add(1)
	}
}
