package relay

import (
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// The most that one turn does of a sweep, so that PDUs of other connections wait for
// a millisecond or two: most slots are only looked at, but a connection that the
// sweep is about costs some system calls.
const (
	sweepSlots = 4096
	sweepConns = 64
)

// sweep goes through the connections of a loop: all of them for DecideAll, checkRoom and
// ResetMoved, those to one server for the others.
type sweep struct {
	decide Decision // of DecideAll
	ask    *asking  // of Ask and StopAsking
	room   bool     // of checkRoom
	moved  *moving  // of ResetMoved
	// Else CloseServer:
	silent time.Duration

	server [16]byte // IPv4-mapped, like an endpoint's
	next   int      // the slot to look at
}

// wants reports whether the sweep is about c.
func (s *sweep) wants(c *Conn) bool {
	return s.decide != nil || s.room || s.moved != nil || c.remote.ip == s.server
}

// visit does the sweep's work on c.
func (s *sweep) visit(c *Conn) {
	switch {
	case s.decide != nil:
		c.decide(s.decide)
	case s.ask != nil:
		s.ask.visit(c)
	case s.room:
		c.checkRoom()
	case s.moved != nil:
		s.moved.visit(c)
	default:
		c.serverGone(s.silent)
	}
}

// CloseServer ends the connections to a server, on any port, from which nothing has
// been received for at least silent: no bytes, and no acknowledgement of bytes sent
// to it. The clients are reset; the server is sent the end of the stream, in case it
// becomes reachable again. Connections that are still being dialled go on with the
// Router's next attempt.
//
// The caller must know that the server is gone, see Ask: on an idle connection a live
// server is silent, too, until Options.KeepAlive. CloseServer does not wait for the
// loops.
func (g *Group) CloseServer(server netip.Addr, silent time.Duration) {
	if !server.IsValid() {
		return
	}
	for _, l := range g.loops {
		l.mailbox.post(message{op: opSweep, sweep: &sweep{server: server.As16(), silent: silent}})
	}
}

// beginSweep adds s to the list. Of CloseServer there is one sweep for each server.
func (l *loop) beginSweep(s sweep) {
	closes := func(s *sweep) bool { return s.decide == nil && s.ask == nil && !s.room && s.moved == nil }
	for i := range l.sweeps {
		if old := &l.sweeps[i]; closes(&s) && closes(old) && old.server == s.server {
			s.silent = min(s.silent, old.silent)
			*old = s
			return
		}
	}
	l.sweeps = append(l.sweeps, s)
}

// endSweep takes the first sweep, which is over, from the list.
func (l *loop) endSweep() {
	s := &l.sweeps[0]
	if s.decide != nil {
		l.group.deciding.Add(-1)
	}
	if s.ask != nil {
		s.ask.visited()
	}
	if s.moved != nil {
		s.moved.visited()
	}
	l.sweeps[0] = sweep{}
	l.sweeps = l.sweeps[1:]
}

// sweep goes on with the first sweep of the list, as far as one turn allows.
func (l *loop) sweep() {
	if len(l.sweeps) == 0 {
		return
	}
	s := &l.sweeps[0]
	for conns, end := 0, s.next+sweepSlots; conns < sweepConns && s.next < end; {
		if s.next >= len(l.slots.all) {
			l.endSweep()
			return
		}
		c := l.slots.all[s.next].conn
		s.next++
		if c != nil && s.wants(c) {
			conns++
			l.current = c
			s.visit(c)
			l.current = nil
		}
	}
}

// serverGone ends the connection if its server has been silent for that long. When
// the server has ended its stream, or the proxy is closing the connection, the
// client may still read what is left, so nothing is done.
func (c *Conn) serverGone(silent time.Duration) {
	gone := CloseReason{Cause: CauseServerGone}
	switch {
	case c.moved: // it waits until the server can hear of its end
	case c.state == stateDialing:
		c.redial(gone)
	case c.state == stateOpen && !c.server.eof && silence(c.server.fd) >= silent:
		c.finish(gone, true)
	}
}

// silence returns how long nothing has been received on a connected socket. Linux
// counts from the connect when nothing ever was.
func silence(fd int32) time.Duration {
	info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil {
		return 0 // unknown: counts as not silent
	}
	return time.Duration(min(info.Last_data_recv, info.Last_ack_recv)) * time.Millisecond
}
