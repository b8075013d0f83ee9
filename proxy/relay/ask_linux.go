package relay

import (
	"math"
	"net/netip"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// askInterval is how often an idle connection is asked for a sign of life of its
// server, in seconds.
const askInterval = 2

// askOptions have the kernel ask. They do not end a connection sooner than
// Options.KeepAlive does.
var askOptions = []option{
	{unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
	{unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, askInterval},
	{unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, askInterval},
}

// patience is how long the answer to a SYN may take until another one makes sense: TCP's
// first timeout is 1 s. So old must an attempt to connect be for StopAsking to make it
// again.
const patience = 2 * time.Second

// asking is one call of Ask or StopAsking.
type asking struct {
	options []option
	answer  func(quiet time.Duration, conns int) // nil: of StopAsking
	loops   atomic.Int64                         // that have not visited all of their connections
	quiet   atomic.Int64                         // the least of them, in nanoseconds
	conns   atomic.Int64
}

// Ask has every open connection to a server, on any port, asked for a sign of life:
// at once where it has been idle for two seconds, and again every two seconds, until
// StopAsking. Then answer is called with how long ago the last one came on any of
// these connections, be it data or an acknowledgement, and how many there are: for
// what was asked before, that is, a second call has the answers to the first. It is
// called on a loop, and must not block; never if a loop has ended.
func (g *Group) Ask(server netip.Addr, answer func(quiet time.Duration, conns int)) {
	g.ask(server, &asking{options: askOptions, answer: answer})
}

// StopAsking undoes Ask. Connections to the server that are still being dialled, and
// that it has not answered for some time, are dialled again at once: it answers again.
func (g *Group) StopAsking(server netip.Addr) {
	g.ask(server, &asking{options: g.keepAlive})
}

func (g *Group) ask(server netip.Addr, a *asking) {
	if !server.IsValid() {
		return
	}
	a.loops.Store(int64(len(g.loops)))
	a.quiet.Store(math.MaxInt64)
	for _, l := range g.loops {
		l.mailbox.post(message{op: opSweep, sweep: &sweep{server: server.As16(), ask: a}})
	}
}

// visit sets the options of a connection, and notes how quiet it has been.
func (a *asking) visit(c *Conn) {
	if a.answer == nil && c.state == stateDialing && c.dialledFor() > patience {
		c.dialAgain(timerFirst) // it has all its time again
		return
	}
	if c.state != stateOpen || c.server.eof {
		return
	}
	c.asked = a.answer != nil
	_ = setOptions(c.server.fd, a.options) // fails only on a socket that has failed
	if c.waiting {                         // probes of its window take the place of keep-alive, minutes apart
		return
	}
	a.conns.Add(1)
	quiet := int64(silence(c.server.fd))
	for old := a.quiet.Load(); quiet < old && !a.quiet.CompareAndSwap(old, quiet); old = a.quiet.Load() {
	}
}

// visited notes that a loop has visited all of its connections.
func (a *asking) visited() {
	if a.loops.Add(-1) == 0 && a.answer != nil {
		a.answer(time.Duration(a.quiet.Load()), int(a.conns.Load()))
	}
}
