package relay

import "time"

const (
	// youngTime is how old a connection to a server is when its socket gets the
	// options of keep-alive. Many connections end before, such as those to the
	// endpoint mapper, and save the system calls. Keep-alive matters later: its
	// times are whole seconds.
	youngTime = time.Second
	// youngSlack is how much later that may be in a loop that has nothing else to
	// do, so that one wake-up serves several connections.
	youngSlack = 250 * time.Millisecond
)

// youngConn is a connection that has not lived for youngTime. It may have ended.
type youngConn struct {
	key key
	at  time.Duration // when youngTime is over, on the loop's clock
}

// youngQueue has the young connections of a loop, in the order in which they were
// made: all[done:].
type youngQueue struct {
	all  []youngConn
	done int
}

// add appends y.
func (q *youngQueue) add(y youngConn) {
	if q.done > len(q.all)/2 { // moving the others down takes linear time overall
		q.all = q.all[:copy(q.all, q.all[q.done:])]
		q.done = 0
	}
	q.all = append(q.all, y)
}

// next returns when the oldest has lived for youngTime, or false if there is none.
func (q *youngQueue) next() (at time.Duration, ok bool) {
	if q.done == len(q.all) {
		return 0, false
	}
	return q.all[q.done].at, true
}

// take removes the oldest and returns its key. The queue must not be empty.
func (q *youngQueue) take() key {
	q.done++
	return q.all[q.done-1].key
}

// keepYoungAlive sets the options of connections that have lived for youngTime, unless
// Group.Ask has set others.
func (l *loop) keepYoungAlive() {
	for {
		at, ok := l.young.next()
		if !ok || at > l.now() {
			return
		}
		if sl := l.slots.find(l.young.take()); sl != nil && !sl.conn.asked {
			_ = setOptions(sl.conn.server.fd, l.group.keepAlive) // fails only on a socket that has failed
		}
	}
}
