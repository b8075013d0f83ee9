package backend

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
)

// attempt is one of the connects of a check.
type attempt struct {
	counts bool
	err    error
}

// reach connects to all these ports at once, the first of which count, and returns
// the outcome, and why it is not connected:
//
//	connected   one of those that count accepted the connection
//	refused     none did, but the host has answered on some port
//	unanswered  nothing came back from any port
//	undecided   nothing came back, and some attempts could not be made
func reach(ctx context.Context, dial dialer, ports []netip.AddrPort, counting int) (outcome, string) {
	ctx, cancel := context.WithCancel(ctx)
	var dials sync.WaitGroup
	defer dials.Wait()
	defer cancel()

	attempts := make(chan attempt, len(ports))
	for i, addr := range ports {
		dials.Go(func() { attempts <- attempt{counts: i < counting, err: dial(ctx, addr)} })
	}
	return judge(attempts)
}

// judge reads as many attempts as attempts has room for, or until one decides.
func judge(attempts <-chan attempt) (outcome, string) {
	verdict, reason := unanswered, ""
	for range cap(attempts) {
		a := <-attempts
		switch o := classify(a.err); {
		case o == connected && a.counts:
			return connected, ""
		case o == connected, o == refused:
			verdict = refused
		case o == undecided && verdict == unanswered:
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
	ports, counting := dc.health.Load().checkPorts(dc.EPM)
	return reach(ctx, s.dial, ports, counting)
}
