package backend

import (
	"context"
	"errors"
	"time"

	"github.com/nspiproxy/nspiproxy/proxy/client"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

// watcher asks the endpoint mapper of one domain controller where NSPI is, and the
// further interfaces of its process, over a standing connection.
type watcher struct {
	set       *Set
	dc        *DC
	process   process
	transient bool      // it ends when NSPI is not seen for long
	seen      time.Time // when NSPI was registered last; at first, when the watcher started
}

// run asks until ctx ends, or until the watcher is useless.
func (w *watcher) run(ctx context.Context) {
	w.seen = time.Now()
	for {
		err := w.session(ctx)
		if ctx.Err() != nil || w.useless() {
			return
		}
		w.dc.observe(observation{kind: mapperFailed, outcome: classify(err), reason: err.Error()})
		if !sleep(ctx, pause(w.dc.health.Load().mapper.failures, err)) {
			return
		}
	}
}

// session connects, and asks until that fails or the watcher is useless.
func (w *watcher) session(ctx context.Context) error {
	c, err := w.dial(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	w.process.begin()
	for fresh := true; ; {
		ports, err := w.where(ctx, c)
		if err != nil && !errors.Is(err, client.ErrNotRegistered) {
			return err
		}
		w.learn(ports, fresh)
		fresh = fresh && len(ports) == 0
		if len(ports) > 0 {
			if err := w.askProcess(ctx, c); err != nil {
				return err
			}
		}
		if w.useless() {
			return nil
		}
		if err := c.Idle(ctx, w.set.o.EndpointInterval); err != nil {
			return err
		}
	}
}

// dial connects to the endpoint mapper. The outcome says something about the
// host, and about NSPI only while no port of that is known.
func (w *watcher) dial(ctx context.Context) (*client.Mapper, error) {
	ctx, cancel := context.WithTimeout(ctx, w.set.o.Timeout)
	defer cancel()
	c, err := client.DialMapper(ctx, w.dc.EPM)
	if !isDial(err) {
		w.dc.observe(observation{kind: attemptEnded, outcome: connected, port: w.dc.EPM.Port()})
	} else if classify(err) == refused {
		w.dc.observe(observation{kind: hostAnswered})
	}
	return c, err
}

// where returns the ports of NSPI: the fixed one, or those that are named now.
func (w *watcher) where(ctx context.Context, c *client.Mapper) ([]uint16, error) {
	if w.dc.nspiPort != 0 {
		return w.dc.NSPI(), nil
	}
	return w.ask(ctx, c, nspi.Interface)
}

// ask asks once. An answer that takes long is waited for; meanwhile a check
// shows whether the host is still alive.
func (w *watcher) ask(ctx context.Context, c *client.Mapper, iface rpcparse.SyntaxID) ([]uint16, error) {
	ctx, cancel := context.WithTimeout(ctx, w.set.o.Timeout)
	defer cancel()
	slow := time.AfterFunc(w.set.slow, func() { w.dc.observe(observation{kind: mapperSlow}) })
	defer slow.Stop()
	return c.Map(ctx, iface)
}

// learn takes the ports that the endpoint mapper names, none if NSPI is not
// registered. fresh says that it has not named any on this connection before.
func (w *watcher) learn(ports []uint16, fresh bool) {
	if w.dc.nspiPort != 0 {
		return // it was not asked for, and is known since the start
	}
	e := w.dc.observe(observation{kind: mapperAnswered, ports: ports, reason: client.ErrNotRegistered.Error()})
	if len(ports) == 0 {
		return
	}
	w.seen = time.Now()
	if e.portsChanged || fresh {
		w.set.o.OnPorts(w.dc, w.dc.Ports())
	}
}

// pause returns how long to wait after so many failures in a row, the latest of
// which is err.
func pause(failures int, err error) time.Duration {
	longest := maxRedial
	if isDial(err) && classify(err) == refused {
		longest = refusedRedial
	}
	return min(minRedial<<min(max(failures-1, 0), 8), longest)
}

// useless reports whether this watcher should make room for another one.
func (w *watcher) useless() bool {
	return w.transient && time.Since(w.seen) > w.set.unseen
}

// sleep waits for d; it returns false when ctx ends first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
