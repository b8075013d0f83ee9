package relay

import (
	"fmt"
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"
)

// Layout of a loop's read buffer: the kernel writes behind the headroom, and an
// incomplete PDU of an earlier read is put right before the bytes that complete
// it, so that all PDUs lie in one piece. A read of one turn is one write, and a
// large answer's fragments are worth a large read.
const (
	headroom = 64 << 10
	readSize = 128 << 10
)

// loop is one event loop: the connections it accepted and all they share.
// Everything but the mailbox and the counters belongs to its goroutine.
type loop struct {
	group    *Group
	poller   *poller
	mailbox  *mailbox
	counters counters
	done     chan struct{} // closed when the goroutine has ended

	buf    []byte
	pool   pool
	slots  slots
	timers timers

	// What is left to do in this turn.
	events []unix.EpollEvent
	inbox  []message
	again  []*Conn // have bytes to read that did not fit into one buffer
	rerun  []*Conn // again of the turn before, being worked on

	current   *Conn // whose handler a panic would be blamed on
	paused    []*acceptor
	sweeps    []sweep
	active    int
	stopping  bool // ends when the last connection has
	killing   bool // ends them all
	clock     time.Duration
	clockTold bool
}

func newLoop(g *Group) (*loop, error) {
	p, err := newPoller()
	if err != nil {
		return nil, err
	}
	m, err := newMailbox()
	if err != nil {
		p.close()
		return nil, err
	}
	l := &loop{group: g, poller: p, mailbox: m, done: make(chan struct{}), buf: make([]byte, headroom+readSize)}
	for class, d := range map[timerClass]time.Duration{
		timerConnect:   g.options.ConnectTimeout,
		timerHandshake: g.options.HandshakeTimeout,
		timerTail:      tailFactor * g.options.DrainTimeout,
		timerDrain:     g.options.DrainTimeout,
	} {
		l.timers.lists[class].length = d
	}
	mine := l.slots.take(nil, nil) // slot 0: the mailbox
	if err = p.add(int32(m.fd), unix.EPOLLIN|unix.EPOLLET, l.slots.key(mine, false)); err != nil {
		l.release()
		return nil, err
	}
	return l, nil
}

// run is the loop's goroutine.
func (l *loop) run() {
	defer close(l.done)
	defer l.release()
	for !l.stopping || l.active > 0 {
		l.events = l.poller.wait(l.patience())
		l.clockTold = false
		for !l.turn() {
		}
	}
}

// turn works off what has been collected. A panicking handler costs its
// connection, not the others theirs: turn returns false and is called again.
func (l *loop) turn() (done bool) {
	defer l.rescue()
	for len(l.events) > 0 {
		ev := l.events[0]
		l.events = l.events[1:]
		l.dispatch(ev)
	}
	for len(l.inbox) > 0 {
		msg := l.inbox[0]
		l.inbox[0], l.inbox = message{}, l.inbox[1:]
		l.obey(msg)
	}
	if len(l.rerun) == 0 && len(l.again) > 0 {
		l.rerun, l.again = l.again, l.rerun[:0]
	}
	for len(l.rerun) > 0 {
		last := len(l.rerun) - 1
		c := l.rerun[last]
		l.rerun[last], l.rerun = nil, l.rerun[:last]
		c.queued = false
		l.drive(c)
	}
	l.expire()
	l.sweep()
	if l.killing {
		l.killAll()
	}
	return true
}

// dispatch hands an event to its owner.
func (l *loop) dispatch(ev unix.EpollEvent) {
	k := key{slot: ev.Fd, check: ev.Pad}
	sl := l.slots.find(k)
	switch {
	case sl == nil:
	case sl.conn != nil:
		c := sl.conn
		s := &c.client
		if k.slot&1 != 0 {
			s = &c.server
		}
		s.note(ev.Events)
		l.drive(c)
	case sl.acceptor != nil:
		l.accept(sl.acceptor)
	default:
		l.inbox = l.mailbox.take()
	}
}

// drive lets c do what it can.
func (l *loop) drive(c *Conn) {
	l.current = c
	c.drive()
	l.current = nil
}

// requeue makes c run again in the next turn, after the others.
func (l *loop) requeue(c *Conn) {
	if !c.queued {
		c.queued = true
		l.again = append(l.again, c)
	}
}

// rescue turns a handler's panic into the end of its connection. A panic
// outside a handler's connection is a mistake of this package and goes on.
func (l *loop) rescue() {
	p := recover()
	if p == nil {
		return
	}
	c := l.current
	if c == nil {
		panic(p)
	}
	l.current = nil
	if c.state != stateGone {
		c.state = stateBroken
		c.reason = CloseReason{Cause: CausePanic, Err: fmt.Errorf("panic: %v\n%s", p, debug.Stack())}
		l.requeue(c)
	}
}

// obey does what a message asks for.
func (l *loop) obey(msg message) {
	switch msg.op {
	case opWake:
		msg.conn.waking.Store(false)
		msg.conn.awake()
	case opDecide:
		msg.conn.decisions.Add(-1)
		l.current = msg.conn
		msg.conn.decide(msg.decide)
		l.current = nil
	case opListen:
		l.listen(msg.acceptor)
	case opUnlisten:
		l.unlisten(msg.acceptor)
	case opSweep:
		l.beginSweep(*msg.sweep)
	case opStop:
		l.stopping = true
		for i := range l.slots.all {
			if a := l.slots.all[i].acceptor; a != nil {
				l.unlisten(a)
			}
		}
	case opKill:
		l.killing = true
	}
}

// killAll closes what is left at the deadline of a shutdown.
func (l *loop) killAll() {
	for i := range l.slots.all {
		if c := l.slots.all[i].conn; c != nil {
			l.current = c
			c.finish(CloseReason{Cause: CauseShutdown}, false)
			l.current = nil
		}
	}
}

// now is the loop's clock: the time since the group's start, read once a turn.
func (l *loop) now() time.Duration {
	if !l.clockTold {
		l.clock, l.clockTold = time.Since(l.group.start), true
	}
	return l.clock
}

// patience is how long the loop may wait for events; negative: for ever.
func (l *loop) patience() time.Duration {
	if len(l.again) > 0 || len(l.sweeps) > 0 {
		return 0
	}
	at, ok := l.timers.next()
	for _, a := range l.paused {
		if !ok || a.resumeAt < at {
			at, ok = a.resumeAt, true
		}
	}
	if !ok {
		return -1
	}
	return max(0, at-l.now())
}

// expire ends what has taken too long.
func (l *loop) expire() {
	if l.timers.running == 0 && len(l.paused) == 0 {
		return
	}
	for {
		c, class := l.timers.expired(l.now())
		if c == nil {
			break
		}
		l.current = c
		c.timeout(class)
		l.current = nil
	}
	l.resumeAccepting()
}

// release gives back what the loop itself holds.
func (l *loop) release() {
	for _, msg := range l.mailbox.close() {
		if msg.op == opListen {
			closeSocket(msg.acceptor.fd)
		}
	}
	l.poller.close()
}
