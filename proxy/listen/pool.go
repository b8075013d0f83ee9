package listen

import (
	"slices"
	"sync"

	"github.com/nspiproxy/nspiproxy/policy"
	"github.com/nspiproxy/nspiproxy/proxy/backend"
	"github.com/nspiproxy/nspiproxy/proxy/inspect"
	"github.com/nspiproxy/nspiproxy/proxy/relay"
)

// maxTries is how many domain controllers a new association is offered to, one
// after the other, when they cannot be reached. Each may take connect_timeout,
// and clients wait some 20 seconds for a connection.
const maxTries = 3

// pool is the domain controllers behind one listener. A new association goes to
// the one with the fewest sessions, a connection that joins an association to
// the domain controller that holds it.
type pool struct {
	all    *Listeners
	names  []string // of configured backends; each stands for one or several
	groups *inspect.GroupNames

	mu    sync.Mutex
	tried map[*relay.Conn][]*backend.DC // which ones a connection that is being dialled could not reach
}

func newPool(all *Listeners, config *policy.Listener) *pool {
	return &pool{all: all, names: config.BackendNames(), groups: inspect.NewGroupNames(), tried: make(map[*relay.Conn][]*backend.DC)}
}

// members returns the domain controllers of this moment.
func (p *pool) members() (all []*backend.DC) {
	for _, name := range p.names {
		all = append(all, p.all.Controllers.Members(name)...)
	}
	return all
}

// choose returns the domain controller for a connection to a target, and those that
// it could not reach before. Nil: there is none, or none left to try.
func (p *pool) choose(c *relay.Conn, where target, attempt int) (dc *backend.DC, tried []*backend.DC) {
	if attempt > 0 {
		tried = p.takeTried(c)
	}
	if where.kind == targetPort {
		return onlyFirst(p.all.Controllers.At(where.addr.Addr()), attempt), nil
	}
	if head, ok := c.Head(); ok && head.Group != 0 {
		if dc, ok := p.groups.Where(head.Group).(*backend.DC); ok {
			return onlyFirst(dc, attempt), nil
		}
	}
	if attempt >= maxTries {
		return nil, nil
	}
	return p.all.Controllers.Pick(p.members(), p.all.Load, func(dc *backend.DC) bool {
		server := where.on(dc)
		return !server.IsValid() || slices.Contains(tried, dc) || p.all.isListener(dc, server)
	}), tried
}

// onlyFirst is dc for the first attempt: there is no other one to try.
func onlyFirst(dc *backend.DC, attempt int) *backend.DC {
	if attempt > 0 {
		return nil
	}
	return dc
}

// poolAttempt is one attempt to reach a domain controller of a pool.
type poolAttempt struct {
	pool  *pool
	tried []*backend.DC // which ones the client could not reach before
}

// failed remembers that c could not reach dc either, until the relay asks for
// another route and choose takes back what was tried.
func (a *poolAttempt) failed(c *relay.Conn, dc *backend.DC) {
	a.pool.mu.Lock()
	defer a.pool.mu.Unlock()
	a.pool.tried[c] = append(a.tried, dc)
}

func (p *pool) takeTried(c *relay.Conn) []*backend.DC {
	p.mu.Lock()
	defer p.mu.Unlock()
	tried := p.tried[c]
	delete(p.tried, c)
	return tried
}
