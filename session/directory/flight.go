package directory

import (
	"context"
	"errors"
	"fmt"
)

// maxQueued bounds the names that wait for a worker. A busy proxy sees some hundred
// new names a second after its start. An answer takes a millisecond, so that the
// last of the queue has its answer long before the time-out.
const maxQueued = 1024

// flight is one look-up in the directory, for all callers who ask for the name
// meanwhile.
type flight struct {
	name    name
	ctx     context.Context // done when the answer is too late
	cancel  context.CancelFunc
	unwatch func() bool           // stops what waits for the end of ctx
	waiters []func(Result, error) // guarded by Directory.mu; nil when they have been answered
}

// join makes done wait for the flight of n, which it starts if there is none.
func (d *Directory) join(n name, done func(Result, error)) error {
	key := n.key()
	d.mu.Lock()
	defer d.mu.Unlock()
	if f, ok := d.flights[key]; ok {
		f.waiters = append(f.waiters, done)
		return nil
	}
	if d.closed {
		return ErrClosed
	}
	f := &flight{name: n, waiters: []func(Result, error){done}}
	f.ctx, f.cancel = context.WithTimeout(d.running, d.config.Timeout)
	select {
	case d.queue <- f:
	default:
		f.cancel()
		return ErrBusy
	}
	d.flights[key] = f
	d.pending.Add(1)
	// Workers observe the deadline, but the LDAP library does not everywhere.
	f.unwatch = context.AfterFunc(f.ctx, func() {
		err := d.timeUp(f.ctx)
		if !errors.Is(err, ErrClosed) {
			d.failed(err)
		}
		d.finish(f, Result{}, err)
	})
	return nil
}

// refresh begins a flight of n that has no caller, unless there is one.
func (d *Directory) refresh(n name) {
	d.mu.Lock()
	_, flies := d.flights[n.key()]
	d.mu.Unlock()
	if !flies {
		_ = d.join(n, func(Result, error) {}) // where it cannot begin, it is due again next time
	}
}

// timeUp says why a flight ended without an answer.
func (d *Directory) timeUp(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("%w: no answer within %v", ErrDown, d.config.Timeout)
	}
	return ErrClosed
}

// finish gives the answer to all callers who wait. Only the first call for a flight
// has an effect.
func (d *Directory) finish(f *flight, result Result, err error) {
	d.mu.Lock()
	waiters := f.waiters
	f.waiters = nil
	if waiters != nil {
		delete(d.flights, f.name.key())
	}
	d.mu.Unlock()
	if waiters == nil {
		return
	}
	defer d.pending.Done()
	f.unwatch()
	f.cancel()
	for _, done := range waiters {
		d.counts.add(err)
		done(result, err)
	}
}
