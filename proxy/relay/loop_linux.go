package relay

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"
)

// Layout of a loop's read buffer. The kernel writes behind the headroom; a buffered
// incomplete PDU is copied right in front of the bytes that complete it, so that
// every PDU lies in one piece. The PDUs of one read leave in one write, so a large
// read saves system calls on the fragments of a large answer.
const (
	headroom = 64 << 10
	readSize = 128 << 10
)

// busyTime is how long a loop is busy before it lets the Go scheduler run. After 10 ms
// the runtime's monitor would preempt it with a signal, or take its processor away in
// the next epoll_wait.
const busyTime = 5 * time.Millisecond

// loop is one event loop, with the connections that it has accepted and what they
// share. Everything but the mailbox and the counters belongs to its goroutine.
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
	young  youngQueue
	room   roomCheck

	// What is left to do in this turn.
	events   []unix.EpollEvent
	inbox    []message
	runQueue []*Conn // to be driven in the next turn: they have more to read
	running  []*Conn // the runQueue of the turn before, which is being worked off

	current   *Conn // the connection whose handler a panic would come from
	paused    []*acceptor
	sweeps    []sweep
	active    int           // connections
	maxKept   int           // bytes, the loop's part of Options.MaxKept
	kept      int           // bytes that their handlers keep
	published int           // bytes that are kept in all, as the counters have it
	stopping  bool          // the loop ends when its last connection has ended
	killing   bool          // all connections are to be ended
	clock     time.Duration // now, if clockRead
	clockRead bool          // in this turn
	lastTurn  time.Duration // when the turn before was
	yielded   time.Duration // when the scheduler has last run
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
	l := &loop{group: g, poller: p, mailbox: m, done: make(chan struct{}), buf: make([]byte, headroom+readSize), maxKept: g.options.MaxKept / g.options.Loops}
	for class, d := range map[timerClass]time.Duration{
		timerFirst:     g.options.FailoverTimeout,
		timerConnect:   g.options.ConnectTimeout - g.options.FailoverTimeout,
		timerLast:      patience,
		timerHandshake: g.options.HandshakeTimeout,
		timerPart:      g.options.PartTimeout,
		timerSession:   g.options.SessionTimeout,
		timerTail:      tailFactor * g.options.DrainTimeout,
		timerDrain:     g.options.DrainTimeout,
	} {
		l.timers.lists[class].length = d
	}
	inbox := l.slots.take(nil, nil) // slot 0 is the mailbox's
	if err = p.add(int32(m.fd), unix.EPOLLIN|unix.EPOLLET, l.slots.key(inbox, false)); err != nil {
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
		l.events = l.poller.wait(l.waitTimeout())
		l.clockRead = false
		for !l.turn() {
		}
		l.yield()
	}
}

// yield lets the Go scheduler run when the loop has been busy for busyTime. A loop that
// has waited for so long is not: the scheduler has had its processor meanwhile.
func (l *loop) yield() {
	now := l.now()
	switch {
	case now-l.lastTurn >= busyTime:
		l.yielded = now
	case now-l.yielded >= busyTime:
		l.yielded = now
		runtime.Gosched()
	}
	l.lastTurn = now
}

// turn works off everything that has been collected. After a panic of a handler it
// returns false and is called again, so that only the connection of that handler
// ends.
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
		l.handleMessage(msg)
	}
	if len(l.running) == 0 && len(l.runQueue) > 0 {
		l.running, l.runQueue = l.runQueue, l.running[:0]
	}
	for len(l.running) > 0 {
		last := len(l.running) - 1
		c := l.running[last]
		l.running[last], l.running = nil, l.running[:last]
		c.queued = false
		l.drive(c)
	}
	l.expire()
	l.sweep()
	l.shed()
	if l.killing {
		l.killAll()
	}
	return true
}

// dispatch passes an event to its owner.
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

// drive drives c, which a panic would be blamed on meanwhile.
func (l *loop) drive(c *Conn) {
	l.current = c
	c.drive()
	l.current = nil
}

// decide has d decide on c.
func (l *loop) decide(c *Conn, d Decision) {
	l.current = c
	c.decide(d)
	l.current = nil
}

// requeue has c driven in the next turn, after the others.
func (l *loop) requeue(c *Conn) {
	if !c.queued {
		c.queued = true
		l.runQueue = append(l.runQueue, c)
	}
}

// rescue turns a panic of a handler into the end of its connection. Any other panic
// is a bug of this package and goes on.
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

// handleMessage does what a message asks for.
func (l *loop) handleMessage(msg message) {
	switch msg.op {
	case opWake:
		msg.conn.waking.Store(false)
		msg.conn.resumePending()
	case opDecide:
		msg.conn.decisions.Add(-1)
		l.decide(msg.conn, msg.decide)
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

// killAll closes the connections that are left at the deadline of a shutdown.
func (l *loop) killAll() {
	for i := range l.slots.all {
		if c := l.slots.all[i].conn; c != nil {
			l.current = c
			c.finish(CloseReason{Cause: CauseShutdown}, false)
			l.current = nil
		}
	}
}

// now returns the loop's clock, the time since the group's start. It is read once a
// turn.
func (l *loop) now() time.Duration {
	if !l.clockRead {
		l.clock, l.clockRead = time.Since(l.group.start), true
	}
	return l.clock
}

// waitTimeout returns how long the loop may wait for events; a negative value means
// without a limit.
func (l *loop) waitTimeout() time.Duration {
	if len(l.runQueue) > 0 || len(l.sweeps) > 0 {
		return 0
	}
	at, ok := l.timers.next()
	if young, has := l.young.next(); has && (!ok || young+youngSlack < at) {
		at, ok = young+youngSlack, true
	}
	if l.roomCheckDue() && (!ok || l.room.at < at) {
		at, ok = l.room.at, true
	}
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

// expire handles the timers that have ended, and the pauses of acceptors.
func (l *loop) expire() {
	l.keepYoungAlive()
	l.checkRoom()
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

// release closes the loop's own descriptors.
func (l *loop) release() {
	for _, msg := range l.mailbox.close() {
		switch {
		case msg.op == opListen:
			closeSocket(msg.acceptor.fd)
		case msg.op == opSweep && msg.sweep.moved != nil:
			msg.sweep.moved.visited()
		}
	}
	for _, s := range l.sweeps {
		if s.moved != nil {
			s.moved.visited()
		}
	}
	l.poller.close()
}
