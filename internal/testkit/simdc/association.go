package simdc

import (
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

// resource is what a context handle stands for.
type resource interface {
	rundown() // called once, when the handle is destroyed by anybody but its owner
}

// associations is the association table of one endpoint (MS-RPCE 3.3.3.1). An
// association is named by its id, belongs to one client address, owns context
// handles, and ends with its last connection.
type associations struct {
	ids *atomic.Uint32 // shared by all endpoints: an id is unique in a server process

	mu   sync.Mutex
	byID map[uint32]*association
}

type association struct {
	id     uint32
	client netip.Addr

	mu      sync.Mutex
	conns   int
	handles map[nspi.Handle]resource // nil once the association has ended
}

// Association is a snapshot of one association.
type Association struct {
	ID          uint32
	Client      netip.Addr
	Endpoint    netip.AddrPort
	Connections int
	Handles     int
}

func newAssociations(ids *atomic.Uint32) *associations {
	return &associations{ids: ids, byID: make(map[uint32]*association)}
}

// enter adds a connection from client to the association id, or to a new one
// for id 0. It fails for an id that is not live or is another client's.
func (t *associations) enter(id uint32, client netip.Addr) (*association, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if id == 0 {
		a := &association{id: t.ids.Add(1), client: client, conns: 1, handles: make(map[nspi.Handle]resource)}
		t.byID[a.id] = a
		return a, true
	}
	a := t.byID[id]
	if a == nil || a.client != client {
		return nil, false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.conns++
	return a, true
}

// leave takes a connection out of a. The last one runs down its handles.
func (t *associations) leave(a *association) {
	t.mu.Lock()
	a.mu.Lock()
	a.conns--
	var orphans map[nspi.Handle]resource
	if a.conns == 0 {
		orphans, a.handles = a.handles, nil
		delete(t.byID, a.id)
	}
	a.mu.Unlock()
	t.mu.Unlock()
	for _, r := range orphans {
		r.rundown()
	}
}

// snapshot lists the live associations by id.
func (t *associations) snapshot(endpoint netip.AddrPort) []Association {
	t.mu.Lock()
	defer t.mu.Unlock()
	var list []Association
	for _, a := range t.byID {
		a.mu.Lock()
		list = append(list, Association{ID: a.id, Client: a.client, Endpoint: endpoint,
			Connections: a.conns, Handles: len(a.handles)})
		a.mu.Unlock()
	}
	slices.SortFunc(list, func(x, y Association) int { return int(x.ID) - int(y.ID) })
	return list
}

// store keeps r under h. It fails once the association has ended.
func (a *association) store(h nspi.Handle, r resource) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.handles == nil {
		return false
	}
	a.handles[h] = r
	return true
}

// lookup returns what h stands for.
func (a *association) lookup(h nspi.Handle) (resource, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	r, ok := a.handles[h]
	return r, ok
}

// remove forgets h; its resource is then the caller's to end.
func (a *association) remove(h nspi.Handle) (resource, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	r, ok := a.handles[h]
	delete(a.handles, h)
	return r, ok
}
