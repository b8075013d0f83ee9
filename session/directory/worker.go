package directory

import (
	"context"
	"errors"
	"time"

	"github.com/go-ldap/ldap/v3"
)

// workers is how many names are asked for at a time, each on a connection of its
// own. An answer takes a millisecond, so that one worker would do; with several, a
// slow search does not delay all others.
const workers = 4

// maxLinkAge is after how long a connection is made anew, with a fresh look at
// the password and at the domains of the forest.
const maxLinkAge = time.Hour

// worker asks for one name after the other.
type worker struct {
	directory *Directory
	link      *link // nil: not connected
}

// run works until the directory is closed.
func (w *worker) run() {
	defer w.disconnect()
	d := w.directory
	for {
		select {
		case <-d.running.Done():
			return
		case f := <-d.queue:
			if f.ctx.Err() != nil {
				continue // answered already
			}
			result, err := w.ask(f.ctx, f.name)
			if errors.Is(err, ErrDown) && f.ctx.Err() != nil {
				err = d.timeUp(f.ctx) // that broke the connection
			}
			d.cache.put(f.name.key(), result, err)
			d.finish(f, result, err)
		}
	}
}

// ask looks n up. A connection that was used before may have been closed by the
// server meanwhile, also while it was asked: then another is made, once.
func (w *worker) ask(ctx context.Context, n name) (Result, error) {
	for {
		fresh := w.link == nil || w.link.ldap.IsClosing() || time.Since(w.link.since) > maxLinkAge
		if fresh {
			w.disconnect()
			if cause := w.directory.breaker.open(); cause != nil {
				return Result{}, cause
			}
			var err error
			if w.link, err = w.directory.connect(); err != nil {
				return Result{}, err
			}
		}
		result, err := w.link.lookup(ctx, n)
		if !broken(err) {
			return result, classify(err)
		}
		w.disconnect()
		if fresh || ctx.Err() != nil {
			return Result{}, classify(err)
		}
	}
}

func (w *worker) disconnect() {
	if w.link != nil {
		w.link.close()
		w.link = nil
	}
}

// broken reports whether err means that the connection cannot be used any more: it
// is no answer of the server, or the answer says that the bind is forgotten.
func broken(err error) bool {
	if err == nil || final(err) || errors.Is(err, ErrDown) {
		return false
	}
	answer := (*ldap.Error)(nil)
	if !errors.As(err, &answer) || answer.ResultCode >= ldap.ErrorNetwork {
		return true
	}
	return answer.ResultCode == ldap.LDAPResultOperationsError || answer.ResultCode == ldap.LDAPResultUnavailable
}
