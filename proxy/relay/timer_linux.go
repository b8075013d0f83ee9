package relay

import "time"

// timerClass says what a connection's timer is for. A connection has one timer at a
// time.
type timerClass uint8

const (
	timerOff       timerClass = iota
	timerFirst                // until the server is connected: Options.FailoverTimeout,
	timerConnect              // and then what is left of Options.ConnectTimeout,
	timerLast                 // and for the answer to a last SYN: patience
	timerHandshake            // until the client's bind: Options.HandshakeTimeout
	timerPart                 // for the client to end what it has begun: Options.PartTimeout
	timerSession              // for the client to send something, where there was no session: Options.SessionTimeout
	timerTail                 // for the client to read what is left: tailFactor times Options.DrainTimeout
	timerDrain                // for the peers to end their streams: Options.DrainTimeout
	timerClasses
)

// timer is a connection's place in the list of its class.
type timer struct {
	prev, next *Conn
	at         time.Duration // on the loop's clock
	class      timerClass
}

// timers are the timers of a loop. All timers of one class run equally long, so that
// each class has a list whose order of starting is the order of ending, too. Starting,
// stopping and checking take a few instructions and do not allocate.
type timers struct {
	lists [timerClasses]struct {
		first, last *Conn
		length      time.Duration
	}
	running int
}

// start lets c's timer run for the length of its class, from now.
func (t *timers) start(c *Conn, class timerClass, now time.Duration) {
	t.stop(c)
	l := &t.lists[class]
	c.timer = timer{prev: l.last, at: now + l.length, class: class}
	if l.last != nil {
		l.last.timer.next = c
	} else {
		l.first = c
	}
	l.last = c
	t.running++
}

// stop stops c's timer, if it runs.
func (t *timers) stop(c *Conn) {
	if c.timer.class == timerOff {
		return
	}
	l := &t.lists[c.timer.class]
	if prev := c.timer.prev; prev != nil {
		prev.timer.next = c.timer.next
	} else {
		l.first = c.timer.next
	}
	if next := c.timer.next; next != nil {
		next.timer.prev = c.timer.prev
	} else {
		l.last = c.timer.prev
	}
	c.timer = timer{}
	t.running--
}

// next returns when the first timer ends, or false if none is running.
func (t *timers) next() (at time.Duration, ok bool) {
	if t.running == 0 {
		return 0, false
	}
	for i := range t.lists {
		if c := t.lists[i].first; c != nil && (!ok || c.timer.at < at) {
			at, ok = c.timer.at, true
		}
	}
	return at, ok
}

// expired stops one timer that has ended and returns its connection and class, or nil
// if there is none.
func (t *timers) expired(now time.Duration) (*Conn, timerClass) {
	for i := range t.lists {
		if c := t.lists[i].first; c != nil && c.timer.at <= now {
			class := c.timer.class
			t.stop(c)
			return c, class
		}
	}
	return nil, timerOff
}
