package backend

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/nspiproxy/nspiproxy/proxy/epm"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

// watcher asks the endpoint mapper of one domain controller where NSPI is, over
// a standing connection.
type watcher struct {
	set       *Set
	dc        *DC
	transient bool      // it ends when NSPI is not seen for long
	seen      time.Time // when it was last told ports; at first, when it started

	failures int  // sessions in a row that ended without an answer
	down     bool // as the log has it
	missing  bool // NSPI is not registered; as the log has it
}

// run asks until ctx ends, or there is no use in it.
func (w *watcher) run(ctx context.Context) {
	w.seen = time.Now()
	for {
		err := w.session(ctx)
		if ctx.Err() != nil || w.useless() {
			return
		}
		w.lost(err)
		if !sleep(ctx, w.pause(err)) {
			return
		}
	}
}

// session connects, and asks until that fails or has no use.
func (w *watcher) session(ctx context.Context) error {
	c, err := w.dial(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	for fresh := true; ; {
		ports, err := w.ask(ctx, c)
		if err != nil && !errors.Is(err, epm.ErrNotRegistered) {
			return err
		}
		w.answered()
		w.learn(ports, fresh)
		fresh = fresh && len(ports) == 0
		if w.useless() {
			return nil
		}
		if err := c.Idle(ctx, w.set.o.EndpointInterval); err != nil {
			return err
		}
	}
}

// dial connects to the endpoint mapper. What becomes of it says something about
// the host, and about NSPI only while no port of that is known.
func (w *watcher) dial(ctx context.Context) (*epm.Client, error) {
	ctx, cancel := context.WithTimeout(ctx, w.set.o.Timeout)
	defer cancel()
	c, err := epm.Dial(ctx, w.dc.EPM)
	if !isDial(err) {
		w.dc.came(w.dc.counts(w.dc.EPM.Port()))
	} else if classify(err) == refused {
		w.dc.heard()
	}
	return c, err
}

// ask asks once. An answer that takes long is waited for, and meanwhile it is
// looked whether the host still lives.
func (w *watcher) ask(ctx context.Context, c *epm.Client) ([]uint16, error) {
	ctx, cancel := context.WithTimeout(ctx, w.set.o.Timeout)
	defer cancel()
	slow := time.AfterFunc(w.set.slow, w.dc.doubt)
	defer slow.Stop()
	return c.Map(ctx, nspi.Interface)
}

// answered notes that the endpoint mapper does its work.
func (w *watcher) answered() {
	w.failures = 0
	w.dc.heard()
	if w.down {
		w.down = false
		w.event(Event{Kind: EPMUp})
	}
}

// lost notes that a session has ended.
func (w *watcher) lost(err error) {
	if w.failures++; w.failures == 1 || classify(err) == unanswered {
		w.dc.doubt() // perhaps more has ended
	}
	if !w.down && w.failures > 1 {
		w.down = true
		w.event(Event{Kind: EPMDown, Reason: printable(err.Error())})
	}
}

// pause returns how long to wait after the latest failure.
func (w *watcher) pause(err error) time.Duration {
	longest := maxRedial
	if isDial(err) && classify(err) == refused {
		longest = refusedRedial
	}
	return min(minRedial<<min(w.failures-1, 8), longest)
}

// learn takes what the endpoint mapper says. fresh says that it has not told
// ports on this connection before.
func (w *watcher) learn(ports []uint16, fresh bool) {
	if len(ports) == 0 {
		if !w.missing {
			w.missing = true
			w.event(Event{Kind: DCPorts, Reason: epm.ErrNotRegistered.Error()})
		}
		return
	}
	changed := !slices.Equal(ports, w.dc.NSPI())
	if changed {
		w.dc.ports.Store(&ports)
	}
	if changed || w.missing {
		w.event(Event{Kind: DCPorts, Ports: ports})
	}
	if changed || fresh {
		w.set.o.OnPorts(w.dc, ports)
	}
	w.seen, w.missing = time.Now(), false
}

// useless reports whether the place of this watcher is better given to another.
func (w *watcher) useless() bool {
	return w.transient && time.Since(w.seen) > w.set.unseen
}

func (w *watcher) event(e Event) {
	e.Backend, e.DC = w.dc.BackendName(), w.dc.Name
	w.set.o.OnEvent(e)
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
