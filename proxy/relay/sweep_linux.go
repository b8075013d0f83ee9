package relay

import (
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// What a turn does of a sweep at most, so that the other connections' PDUs wait
// for a millisecond or two: slots are only looked at, a connection that the sweep
// is for costs some system calls.
const (
	sweepSlots = 4096
	sweepConns = 64
)

// sweep goes through the connections of a loop: all of them for DecideAll, those to
// one server for CloseServer.
type sweep struct {
	decide Decision // nil: CloseServer
	server [16]byte // IPv4-mapped, like an endpoint's
	silent time.Duration
	next   int // the slot to look at
}

// wants says whether the sweep is for c.
func (s *sweep) wants(c *Conn) bool { return s.decide != nil || c.remote.ip == s.server }

// visit does with c what the sweep is for.
func (s *sweep) visit(c *Conn) {
	if s.decide != nil {
		c.decide(s.decide)
	} else {
		c.bereave(s.silent)
	}
}

// CloseServer ends the connections to a server, whatever its port, from which
// nothing has come for at least silent: no bytes, and no acknowledgement of what
// was sent. The clients are reset; the server is told the end should it come back.
// Connections that are only being made go on with the Router's next attempt.
//
// It is for a caller who has found out that the server is gone: of connections
// where nobody asks anything, nothing can be heard of a live one either, until
// Options.KeepAlive. It returns at once; the loops get to it as they can.
func (g *Group) CloseServer(server netip.Addr, silent time.Duration) {
	if !server.IsValid() {
		return
	}
	for _, l := range g.loops {
		l.mailbox.post(message{op: opSweep, sweep: &sweep{server: server.As16(), silent: silent}})
	}
}

// beginSweep puts s on the list, on which there is one for each server that is
// gone.
func (l *loop) beginSweep(s sweep) {
	for i := range l.sweeps {
		if old := &l.sweeps[i]; s.decide == nil && old.decide == nil && old.server == s.server {
			s.silent = min(s.silent, old.silent)
			*old = s
			return
		}
	}
	l.sweeps = append(l.sweeps, s)
}

// endSweep takes the first sweep, which is over, from the list.
func (l *loop) endSweep() {
	if l.sweeps[0].decide != nil {
		l.group.deciding.Add(-1)
	}
	l.sweeps[0] = sweep{}
	l.sweeps = l.sweeps[1:]
}

// sweep goes on with the first sweep for a turn.
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

// bereave gives the server up if it has been silent for so long. One that has
// ended its stream has nothing more to say: the client may take what is left. The
// same holds for a connection that the proxy closes.
func (c *Conn) bereave(silent time.Duration) {
	gone := CloseReason{Cause: CauseServerGone}
	switch {
	case c.state == stateDialing:
		c.redial(gone)
	case c.state == stateOpen && !c.server.eof && silence(c.server.fd) >= silent:
		c.finish(gone, true)
	}
}

// silence is how long nothing has been received on a connected socket. Linux
// counts from the connection if nothing ever was.
func silence(fd int32) time.Duration {
	info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil {
		return 0 // not to be judged
	}
	return time.Duration(min(info.Last_data_recv, info.Last_ack_recv)) * time.Millisecond
}
