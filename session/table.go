package session

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// Options are the dependencies of a [Table].
type Options struct {
	// Now is the clock. Only differences between its answers are used, so a
	// clock with a monotonic reading keeps ages right when the time is set.
	// Default: time.Now.
	Now func() time.Time
}

// Table holds the live sessions of all backends. Its methods, and those of the
// [Conn] and [Slot] values that it hands out, are safe for concurrent use. Each
// is one atomic step, except where its comment says otherwise.
type Table struct {
	now   func() time.Time
	start time.Time

	mu          sync.Mutex
	users       users
	clients     clients
	controllers map[string]*controller    // by backend
	held        []*Slot                   // all held slots, in no order
	contended   map[*user]struct{}        // those with waiters
	waiters     list[waiter, byAge]       // the requests that were answered with Wait, oldest first
	abandoned   map[*association]struct{} // see stranger.go
	counts      Counts
	callers     atomic.Uint32 // how many callers there have been
	wakes       []func()      // to be called once mu is free
}

// NewTable returns an empty table.
func NewTable(o Options) *Table {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Table{
		now:         o.Now,
		start:       o.Now(),
		controllers: make(map[string]*controller),
		contended:   make(map[*user]struct{}),
	}
}

// Open records a new TCP connection from client. Users are counted per scope:
// the name of the backend, or one name for backends that are counted together.
// backend names the domain controller, always by the same name; associations and
// loads are its own. endpoint is the address and port there: association ids are
// unique per server process (MS-RPCE 3.3.1.1.1), of which a domain controller
// has several, on ports of their own. The caller closes the Conn when the
// connection is gone.
func (t *Table) Open(client netip.AddrPort, scope, backend, endpoint string) *Conn {
	t.mu.Lock()
	defer t.unlock()
	c := &Conn{table: t, addr: client.Addr().Unmap(), scope: scope, controller: t.connect(backend), endpoint: endpoint}
	c.controller.addEndpoint(endpoint)
	return c
}

// Expire wakes the requests that wait for a claim which has gone unanswered for
// [ClaimTimeout], and those that have waited for [WaitTimeout]; and it ends the
// connections of strangers. Call it about once a second; it costs nothing while no
// request waits.
func (t *Table) Expire() {
	t.mu.Lock()
	defer t.unlock()
	t.expireWaits()
	t.endStrangers()
	for u := range t.contended {
		t.settle(u)
	}
}

// unlock releases the lock, then calls the Wake functions of the requests that
// the operation has decided: they may call back into the table.
func (t *Table) unlock() {
	wakes := t.wakes
	t.wakes = nil
	t.mu.Unlock()
	for _, wake := range wakes {
		wake()
	}
}

// clock returns the time since the table was made. It is never negative.
func (t *Table) clock() time.Duration { return max(0, t.now().Sub(t.start)) }
