package session

import "net/netip"

// queue is the waiting requests of one user and kind. Client addresses take
// turns: however many requests wait from one address, another's first one is
// behind one of these only.
type queue struct {
	lanes    list[lane, byTurn] // the one whose turn is next first; none is empty
	byClient map[netip.Addr]*lane
	n        int // waiting requests
}

// lane is the waiting requests of one client address.
type lane struct {
	links   links[lane]
	client  netip.Addr
	waiters list[waiter, byArrival] // never empty
}

type (
	byTurn    struct{}
	byArrival struct{}
)

func (byTurn) of(l *lane) *links[lane]        { return &l.links }
func (byArrival) of(w *waiter) *links[waiter] { return &w.links }

// push adds w; first puts it before all others.
func (q *queue) push(w *waiter, first bool) {
	l := q.laneOf(w.conn.addr)
	w.lane = l
	q.n++
	if !first {
		l.waiters.push(w)
		return
	}
	l.waiters.pushFront(w)
	q.lanes.remove(l)
	q.lanes.pushFront(l)
}

// remove takes w out. w must be in q.
func (q *queue) remove(w *waiter) {
	l := w.lane
	w.lane = nil
	l.waiters.remove(w)
	q.n--
	if l.waiters.n == 0 {
		q.lanes.remove(l)
		delete(q.byClient, l.client)
	}
}

// pass ends the turn of l.
func (q *queue) pass(l *lane) {
	q.lanes.remove(l)
	q.lanes.push(l)
}

// laneOf returns the lane of client, made if there is none.
func (q *queue) laneOf(client netip.Addr) *lane {
	l := q.byClient[client]
	if l == nil {
		l = &lane{client: client}
		if q.byClient == nil {
			q.byClient = make(map[netip.Addr]*lane)
		}
		q.byClient[client] = l
		q.lanes.push(l)
	}
	return l
}
