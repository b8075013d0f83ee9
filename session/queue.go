package session

import "net/netip"

// queue is the waiting requests of one user, proven or not. Places of clients take
// turns: however many requests wait from one place, the first request of another
// has at most one of them before it.
type queue struct {
	clients  list[clientQueue, byTurn] // the next one in front; none is empty
	byClient map[netip.Addr]*clientQueue
	n        int // waiting requests
}

// clientQueue is the waiting requests of one place.
type clientQueue struct {
	links   links[clientQueue]
	client  netip.Addr
	waiters list[waiter, byArrival] // never empty
}

type (
	byTurn    struct{}
	byArrival struct{}
	byAge     struct{}
)

func (byTurn) of(cq *clientQueue) *links[clientQueue] { return &cq.links }
func (byArrival) of(w *waiter) *links[waiter]         { return &w.links }
func (byAge) of(w *waiter) *links[waiter]             { return &w.ageLinks }

// push adds w behind the others of its client or, with first, before all requests.
func (q *queue) push(w *waiter, first bool) {
	cq := q.clientQueueOf(w.conn.place())
	w.queue = cq
	q.n++
	if !first {
		cq.waiters.push(w)
		return
	}
	cq.waiters.pushFront(w)
	q.clients.remove(cq)
	q.clients.pushFront(cq)
}

// remove takes w out. w must be in q.
func (q *queue) remove(w *waiter) {
	cq := w.queue
	w.queue = nil
	cq.waiters.remove(w)
	q.n--
	if cq.waiters.n == 0 {
		q.clients.remove(cq)
		delete(q.byClient, cq.client)
	}
}

// rotate puts cq behind the other clients, because it has had its turn.
func (q *queue) rotate(cq *clientQueue) {
	q.clients.remove(cq)
	q.clients.push(cq)
}

// clientQueueOf returns the queue of client, made if there is none.
func (q *queue) clientQueueOf(client netip.Addr) *clientQueue {
	cq := q.byClient[client]
	if cq == nil {
		cq = &clientQueue{client: client}
		if q.byClient == nil {
			q.byClient = make(map[netip.Addr]*clientQueue)
		}
		q.byClient[client] = cq
		q.clients.push(cq)
	}
	return cq
}
