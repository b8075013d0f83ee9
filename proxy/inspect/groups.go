package inspect

import (
	"crypto/rand"
	"encoding/binary"
	"sync"
)

// GroupNames names the associations of several domain controllers that stand
// behind one address. Each of them numbers its associations by itself, so that
// two may give the same id to two clients, or to one: what a client calls an
// association must say which domain controller it is on.
//
// An association keeps the id that its domain controller gave where no other
// one has it, so most handshakes pass as they are. A name lives as long as a
// connection of the association does. Safe for concurrent use.
type GroupNames struct {
	mu     sync.Mutex
	byName map[uint32]*groupName
}

// groupName is an association with the name that clients know it by.
type groupName struct {
	name   uint32
	id     uint32 // assoc_group_id on the domain controller
	server any    // that has it; comparable
	conns  int    // guarded by GroupNames.mu
}

// NewGroupNames returns a registry without names.
func NewGroupNames() *GroupNames { return &GroupNames{byName: make(map[uint32]*groupName)} }

// Where returns the domain controller that holds the association name, or nil.
func (g *GroupNames) Where(name uint32) any {
	g.mu.Lock()
	defer g.mu.Unlock()
	if n := g.byName[name]; n != nil {
		return n.server
	}
	return nil
}

// join counts a connection to server that asks for the association name; nil: there
// is none of that name on this domain controller. The caller leaves it again.
func (g *GroupNames) join(name uint32, server any) *groupName {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := g.byName[name]
	if n == nil || n.server != server {
		return nil
	}
	n.conns++
	return n
}

// found names an association that server has just made, and counts its first
// connection. If an older one had the same id there, it is over on the domain
// controller and keeps its name until its connections have noticed.
func (g *GroupNames) found(id uint32, server any) *groupName {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := &groupName{name: g.free(id), id: id, server: server, conns: 1}
	g.byName[n.name] = n
	return n
}

// free returns want, or a name that is not in use. There are as many names in use
// as connections, so the search ends at once.
func (g *GroupNames) free(want uint32) uint32 {
	for g.byName[want] != nil || want == 0 {
		var b [4]byte
		_, _ = rand.Read(b[:]) // never fails
		want = binary.NativeEndian.Uint32(b[:])
	}
	return want
}

// leave ends a connection's part in n, which may be nil.
func (g *GroupNames) leave(n *groupName) {
	if n == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if n.conns--; n.conns == 0 {
		delete(g.byName, n.name)
	}
}
