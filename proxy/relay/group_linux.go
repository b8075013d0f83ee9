package relay

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Group is a set of event loops and the listeners they serve. Its methods may be
// called from any goroutine, and from inside a handler (but for Shutdown, which
// waits for the handlers' connections).
type Group struct {
	options   Options
	start     time.Time // the loops' clocks count from here
	keepAlive []option  // socket options of every connection, as noDelay is
	loops     []*loop
	active    atomic.Int64 // connections over all loops, for the cap
	crowd     crowd
	deciding  atomic.Int64 // calls of DecideAll under way, times the loops

	mu        sync.Mutex
	listeners map[*Listener]struct{}
	stopped   bool
}

// NewGroup starts the loops. They run until Shutdown.
func NewGroup(o Options) (*Group, error) {
	g := &Group{options: o.withDefaults(), start: time.Now(), listeners: make(map[*Listener]struct{})}
	g.crowd = crowd{networkOf: o.NetworkOf, most: o.MaxFromNetwork}
	g.keepAlive = keepAliveOptions(g.options.KeepAlive)
	for range g.options.Loops {
		l, err := newLoop(g)
		if err != nil {
			for _, l := range g.loops {
				l.release()
			}
			return nil, err
		}
		g.loops = append(g.loops, l)
	}
	for _, l := range g.loops {
		go l.run()
	}
	return g, nil
}

// Listen begins to accept clients. When it returns, they can connect: the sockets
// exist, and the loops will accept from them.
func (g *Group) Listen(o ListenOptions) (*Listener, error) {
	if o.Route == nil {
		return nil, ErrNoRoute
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.stopped {
		return nil, ErrShutdown
	}
	options := slices.Concat(noDelay, g.keepAlive) // accepted sockets inherit them
	if o.Transparent {
		options = append(options, transparent(family(o.Address)))
	}
	fds, bound, err := listenSockets(o.Address, len(g.loops), options)
	if err != nil {
		return nil, err
	}
	ln := &Listener{group: g, addr: bound, options: o}
	for _, fd := range fds {
		ln.acceptors = append(ln.acceptors, &acceptor{listener: ln, fd: fd})
	}
	for i, l := range g.loops {
		l.mailbox.post(message{op: opListen, acceptor: ln.acceptors[i]})
	}
	g.listeners[ln] = struct{}{}
	return ln, nil
}

// Stats returns the counters. It costs some hundred loads.
func (g *Group) Stats() Stats {
	var s Stats
	for _, l := range g.loops {
		l.counters.addTo(&s)
	}
	return s
}

// Shutdown stops accepting at once and returns when all connections have ended.
// When ctx ends first, it closes the remaining ones (CauseShutdown) and returns
// ctx.Err(). The loops have ended when it returns. A second call only waits.
func (g *Group) Shutdown(ctx context.Context) error {
	g.mu.Lock()
	if !g.stopped {
		g.stopped = true
		for ln := range g.listeners {
			ln.stop()
		}
		g.postAll(opStop)
	}
	g.mu.Unlock()
	if err := g.wait(ctx); err != nil {
		g.postAll(opKill)
		_ = g.wait(context.Background()) // closing does not wait for a peer
		return err
	}
	return nil
}

// postAll posts a message without arguments to every loop.
func (g *Group) postAll(o op) {
	for _, l := range g.loops {
		l.mailbox.post(message{op: o})
	}
}

// wait returns when all loops have ended, or ctx has.
func (g *Group) wait(ctx context.Context) error {
	for _, l := range g.loops {
		select {
		case <-l.done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
