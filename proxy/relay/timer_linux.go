package relay

import "time"

// timerClass is what a connection's one timer is for.
type timerClass uint8

const (
	timerOff timerClass = iota
	timerConnect
	timerHandshake
	timerTail
	timerDrain
	timerClasses
)

// timer is a connection's place in the list of its class.
type timer struct {
	prev, next *Conn
	at         time.Duration // on the loop's clock
	class      timerClass
}

// timers of a loop: all of one class take equally long, so a list per class in
// the order of starting is in the order of ending, too. Starting, stopping and
// looking are a few instructions, and there is nothing to allocate.
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

// stop is harmless when no timer of c runs.
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

// next returns when the first timer ends; false: none runs.
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

// expired takes one connection whose time has come; nil: there is none.
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
