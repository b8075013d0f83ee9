package demo

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

const (
	// onceBinds is how often the leaky client binds in a single run, far over
	// its limit.
	onceBinds = 60
	// oncePause is the pause between the calls of both clients.
	oncePause = 20 * time.Millisecond
	// onceTimeout bounds a single run.
	onceTimeout = 15 * time.Second
)

// Result is what a single run found. It is right when [Result.Err] is nil.
type Result struct {
	Granted       int     `json:"granted"`         // NspiBind calls that succeeded, both clients
	Refused       int     `json:"refused"`         // that were answered MAPI_E_LOGON_FAILED
	Unbound       int     `json:"unbound"`         // NspiUnbind calls that succeeded
	SeenByDC      int     `json:"seen_by_dc"`      // NspiBind calls that reached the domain controller
	HeldAtEnd     int     `json:"held_at_end"`     // sessions in the proxy's table while the leaky client is still connected
	ExpectedAtEnd int     `json:"expected_at_end"` // sessions that the domain controller has at that moment
	LeakedSlots   int     `json:"leaked_slots"`    // slots still held after every connection has ended
	Seconds       float64 `json:"seconds"`
}

// Err says what disagrees.
func (r Result) Err() error {
	var all []error
	disagree := func(wrong bool, format string, args ...any) {
		if wrong {
			all = append(all, fmt.Errorf(format, args...))
		}
	}
	disagree(r.HeldAtEnd != r.ExpectedAtEnd, "the proxy counts %d sessions, the domain controller %d", r.HeldAtEnd, r.ExpectedAtEnd)
	disagree(r.HeldAtEnd != leakyLimit, "%d sessions are held at the end, the limit is %d", r.HeldAtEnd, leakyLimit)
	disagree(r.LeakedSlots != 0, "%d slots are held though every connection has ended", r.LeakedSlots)
	disagree(r.Granted-r.Unbound != r.ExpectedAtEnd, "%d granted, %d unbound, but %d sessions", r.Granted, r.Unbound, r.ExpectedAtEnd)
	disagree(r.Refused != onceBinds-leakyLimit, "%d binds refused, expected %d", r.Refused, onceBinds-leakyLimit)
	disagree(r.SeenByDC != r.Granted, "%d binds were granted, but %d reached the domain controller", r.Granted, r.SeenByDC)
	return errors.Join(all...)
}

// Once runs through the demonstration once and returns what it found.
func Once(ctx context.Context, log zerolog.Logger) (Result, error) {
	ctx, cancel := context.WithTimeout(ctx, onceTimeout)
	defer cancel()
	began := time.Now()
	s, err := build(ctx, log)
	if err != nil {
		return Result{}, err
	}
	defer s.stop()

	r, err := act(ctx, s, &tally{})
	r.Seconds = time.Since(began).Seconds()
	return r, err
}

// act lets both clients act until the leaky one is through, and compares.
func act(ctx context.Context, s *stage, t *tally) (Result, error) {
	connected, disconnect := context.WithCancel(ctx)
	defer disconnect()
	behaving, behaved := context.WithCancel(connected)
	var clients sync.WaitGroup
	var failed [2]error
	clients.Go(func() { failed[0] = behave(behaving, s, t, oncePause) })
	through := make(chan struct{})
	clients.Go(func() {
		failed[1] = leak(connected, s, t, onceBinds, oncePause, func() { close(through) })
		behaved()
	})
	select {
	case <-through:
	case <-behaving.Done():
	}
	behaved()
	r := Result{}
	s.settle(ctx, func() bool {
		r.HeldAtEnd, r.ExpectedAtEnd = s.proxy.Sessions().Count().Sessions, s.controller.TotalSessions()
		return r.HeldAtEnd == r.ExpectedAtEnd && r.HeldAtEnd <= leakyLimit
	})
	disconnect()
	clients.Wait()
	s.settle(ctx, func() bool {
		n := s.proxy.Sessions().Count()
		r.LeakedSlots = n.Sessions + n.Reserved + n.Provisional
		return r.LeakedSlots == 0 && s.controller.TotalSessions() == 0
	})
	r.Granted, r.Refused, r.Unbound = int(t.granted.Load()), int(t.refused.Load()), int(t.unbound.Load())
	r.SeenByDC = s.controller.Requests()[0]
	return r, errors.Join(failed[0], failed[1])
}

// settle waits until quiet is true: packets on their way have to arrive before
// two ends can be compared.
func (s *stage) settle(ctx context.Context, quiet func() bool) {
	for deadline := time.Now().Add(stopTimeout); !quiet() && time.Now().Before(deadline); {
		sleep(ctx, time.Millisecond)
	}
}
