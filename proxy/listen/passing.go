package listen

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/nspiproxy/nspiproxy/proxy/inspect"
	"github.com/nspiproxy/nspiproxy/proxy/transparent"
)

const (
	// passingInterval is how often connections that pass by are counted.
	passingInterval = time.Second
	// passingShare bounds the share of the time that counting takes: one part in so
	// many. There may be hundreds of thousands.
	passingShare = 50
)

// passing counts the connections that pass by the proxy, because they were made while
// it did not run.
type passing struct {
	count  func() (int, error)
	events inspect.Events
	now    atomic.Int64
}

func newPassing(events inspect.Events) *passing {
	return &passing{count: transparent.Passing, events: events}
}

// watch counts until ctx ends.
func (p *passing) watch(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-ctx.Done():
			return
		}
		began := time.Now()
		p.look()
		timer.Reset(max(passingInterval, passingShare*time.Since(began)))
	}
}

// look counts once, and reports when there are some, and when there are none any more.
// What keeps the sets from being read is reported by what keeps the rules in force.
func (p *passing) look() {
	n, err := p.count()
	if err != nil {
		return
	}
	before := p.now.Swap(int64(n))
	if (before > 0) != (n > 0) {
		p.events.Report(inspect.ConnectionsPass{Connections: n})
	}
}
