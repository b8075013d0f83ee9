package backend

import (
	"context"
	"net/netip"
	"time"
)

const (
	// maxProving is how many domain controllers are looked at whose clients are not
	// answered: each takes a goroutine as long as there are such clients.
	maxProving = 64
	// forgetInterval is how often it is looked whether there still are.
	forgetInterval = time.Minute
	// proveTime is how long this machine must be answered while clients are not. Their
	// kernels, or the proxy's for them, send another SYN within it, so that a domain
	// controller that is only slow answers one of theirs as well.
	proveTime = 4 * time.Second
)

// ClientUnanswered records a sign that a connection to port under a client's own address
// is not answered. If this machine is, under its own address, the way back from the
// domain controller does not lead here, or something lets in the one and not the other:
// see [ClientsUnanswered].
func (dc *DC) ClientUnanswered(client netip.Addr, port uint16) {
	if dc.paths.unanswered(client, port, time.Now()) && !dc.prove(dc) {
		dc.paths.unproved()
	}
}

// ClientAnswered records that a connection under a client's own address was made.
func (dc *DC) ClientAnswered(client netip.Addr) {
	if dc.paths.answered(client) {
		dc.report(Event{Kind: ClientsAnswered})
	}
}

// IsUnanswered reports whether a client under its own address will hardly be answered,
// because others of its network are not, while this machine is.
func (dc *DC) IsUnanswered(client netip.Addr) bool { return dc.paths.known(client) }

// UnansweredNetworks is of how many networks clients are not answered under their own
// addresses, while this machine is.
func (dc *DC) UnansweredNetworks() int {
	dc.paths.mu.Lock()
	defer dc.paths.mu.Unlock()
	return dc.paths.reportedNetworks()
}

// report reports an event that no change of the health has made.
func (dc *DC) report(e Event) {
	e.Backend, e.DC, e.Reason = dc.BackendName(), dc.Name, printable(e.Reason)
	dc.onEvent(e)
}

// prove has this machine try what clients of dc fail at. It returns false if there are
// too many such domain controllers, or while [Set.Run] does not run.
func (s *Set) prove(dc *DC) bool {
	select {
	case dc.proveDue <- struct{}{}:
	default: // it is going to anyway
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.running == nil || s.running.Err() != nil:
		return false
	case s.proving[dc]:
		return true
	case len(s.proving) >= maxProving:
		return false
	}
	s.proving[dc] = true
	ctx := s.running
	s.work.Go(func() { s.keepProving(ctx, dc) })
	return true
}

// keepProving tries for as long as there are clients of dc that were not answered.
func (s *Set) keepProving(ctx context.Context, dc *DC) {
	tick := time.NewTicker(forgetInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-dc.proveDue:
			s.proveAll(ctx, dc)
		case now := <-tick.C:
			none, over := dc.paths.forget(now)
			if over {
				dc.report(Event{Kind: ClientsAnswered, Reason: "no client has tried for long"})
			}
			if none && s.stopProving(dc) {
				return
			}
		}
	}
}

// stopProving notes that nothing is tried for dc any more, unless there is a new reason.
func (s *Set) stopProving(dc *DC) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(dc.proveDue) > 0 {
		return false
	}
	delete(s.proving, dc)
	return true
}

// proveAll tries for all networks that are due.
func (s *Set) proveAll(ctx context.Context, dc *DC) {
	for net, port := range dc.paths.due() {
		reached := s.isAnswered(ctx, netip.AddrPortFrom(dc.Addr, port))
		if ctx.Err() != nil {
			return
		}
		if dc.paths.proved(net, reached) {
			dc.report(Event{Kind: ClientsUnanswered, Reason: dc.paths.String()})
			s.Watch(dc) // one that no client could show, either
		}
	}
}

// isAnswered connects to a port from this machine's own address, at the beginning and the
// end of proveTime.
func (s *Set) isAnswered(ctx context.Context, to netip.AddrPort) bool {
	connects := func() bool {
		timed, cancel := context.WithTimeout(ctx, min(s.o.Timeout, connectTimeout))
		defer cancel()
		return s.dial(timed, to) == nil
	}
	return connects() && sleep(ctx, proveTime) && connects()
}
