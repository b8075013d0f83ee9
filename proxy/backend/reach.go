package backend

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
)

// attempt is one of the connects of a check.
type attempt struct {
	counts  bool
	outcome outcome
	err     error
}

// reach connects to all these ports at once and returns the outcome, and why it is
// not connected:
//
//	connected   one of counted accepted the connection
//	refused     none did, but the host has answered on some port
//	unanswered  nothing came back from any port
//	undecided   nothing came back, and some attempts could not be made
func reach(ctx context.Context, dial dialer, counted, others []netip.AddrPort) (outcome, string) {
	ctx, cancel := context.WithCancel(ctx)
	var dials sync.WaitGroup
	defer dials.Wait()
	defer cancel()

	attempts := make(chan attempt, len(counted)+len(others))
	try := func(addr netip.AddrPort, counts bool) {
		err := dial(ctx, addr)
		attempts <- attempt{counts: counts, outcome: classify(err), err: err}
	}
	for _, addr := range counted {
		dials.Go(func() { try(addr, true) })
	}
	for _, addr := range others {
		dials.Go(func() { try(addr, false) })
	}
	return judge(attempts)
}

// judge reads as many attempts as attempts has room for, or until one decides.
func judge(attempts <-chan attempt) (outcome, string) {
	verdict, reason := unanswered, ""
	for range cap(attempts) {
		a := <-attempts
		switch {
		case a.outcome == connected && a.counts:
			return connected, ""
		case a.outcome == connected, a.outcome == refused:
			verdict = refused
		case a.outcome == undecided && verdict == unanswered:
			verdict = undecided
		}
		if a.counts {
			reason = fmt.Sprint(a.err)
		}
	}
	return verdict, reason
}

// reach checks whether connections to dc succeed.
func (s *Set) reach(ctx context.Context, dc *DC) (outcome, string) {
	ctx, cancel := context.WithTimeout(ctx, min(s.o.Timeout, connectTimeout))
	defer cancel()
	counted, others := dc.health.Load().checkPorts(dc.EPM)
	return reach(ctx, s.dial, counted, others)
}
