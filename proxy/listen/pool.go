package listen

import (
	"slices"
	"sync"
	"time"

	"github.com/nspiproxy/nspiproxy/policy"
	"github.com/nspiproxy/nspiproxy/proxy/backend"
	"github.com/nspiproxy/nspiproxy/proxy/inspect"
	"github.com/nspiproxy/nspiproxy/proxy/relay"
)

// maxTries bounds the attempts to reach a domain controller for one client. It is less
// than the relay's own bound, so that choose hears of each failure.
const maxTries = 7

// pool is the domain controllers behind one listener. A new association goes to
// the one with the fewest sessions, a connection that joins an association to
// the domain controller that holds it.
type pool struct {
	all    *Listeners
	names  []string // of configured backends; each stands for one or several
	groups *inspect.GroupNames

	mu     sync.Mutex
	failed map[*relay.Conn]poolAttempt // the latest attempts of connections for which another one follows
}

func newPool(all *Listeners, config *policy.Listener) *pool {
	return &pool{all: all, names: config.BackendNames(), groups: inspect.NewGroupNames(), failed: make(map[*relay.Conn]poolAttempt)}
}

// members returns the domain controllers of this moment.
func (p *pool) members() (all []*backend.DC) {
	for _, name := range p.names {
		all = append(all, p.all.Controllers.Members(name)...)
	}
	return all
}

// choose returns the domain controller for a connection to a target. Nil: there is
// none, or none left to try.
func (p *pool) choose(c *relay.Conn, where target, attempt int) (*backend.DC, *poolAttempt) {
	a := p.next(c)
	if where.kind == targetPort {
		return onlyFirst(p.all.Controllers.At(where.addr.Addr()), attempt), a
	}
	if head, ok := c.Head(); ok && head.Group != 0 {
		if dc, ok := p.groups.Where(head.Group).(*backend.DC); ok {
			return onlyFirst(dc, attempt), a
		}
	}
	if attempt >= maxTries {
		return nil, nil
	}
	usable := slices.DeleteFunc(p.members(), func(dc *backend.DC) bool {
		server := where.on(dc)
		return !server.IsValid() || p.all.isListener(dc, server)
	})
	return a.pick(p.all.Controllers, usable, p.all.Load), a
}

// onlyFirst is dc for the first attempt: there is no other one to try.
func onlyFirst(dc *backend.DC, attempt int) *backend.DC {
	if attempt > 0 {
		return nil
	}
	return dc
}

// poolAttempt is one attempt to reach a domain controller of a pool, with what is known
// of those before it.
type poolAttempt struct {
	pool    *pool
	since   time.Time     // when the first of them began
	tried   []*backend.DC // which ones were not reached in this round
	refused []*backend.DC // of all that were not reached, those that have answered so
	brief   bool          // there is another one to go to
}

// pick chooses among the usable members: one that was not tried or, for as long as one
// alone would be waited for, one that has not answered before and may do so by now. If
// there is another one that is not in a worse state, the attempt is brief.
func (a *poolAttempt) pick(set *backend.Set, usable []*backend.DC, load func(string) (int, int)) *backend.DC {
	dc := set.Pick(usable, load, func(dc *backend.DC) bool { return slices.Contains(a.tried, dc) })
	if dc == nil && time.Since(a.since) < a.pool.all.Config.Relay.ConnectTimeout {
		a.tried = slices.Clone(a.refused)
		dc = set.Pick(usable, load, func(dc *backend.DC) bool { return slices.Contains(a.tried, dc) })
	}
	a.brief = dc != nil && slices.ContainsFunc(usable, func(other *backend.DC) bool {
		return other != dc && !slices.Contains(a.refused, other) &&
			(other.State() != backend.Unreachable || dc.State() == backend.Unreachable)
	})
	return dc
}

// failed remembers that c could not reach dc either, until the relay asks for another
// route. silent says that nothing came back.
func (a *poolAttempt) failed(c *relay.Conn, dc *backend.DC, silent bool) {
	next := *a
	next.tried = append(slices.Clone(a.tried), dc)
	if !silent {
		next.refused = append(slices.Clone(a.refused), dc)
	}
	a.pool.mu.Lock()
	defer a.pool.mu.Unlock()
	a.pool.failed[c] = next
}

// next returns the attempt after the one that has failed, or the first.
func (p *pool) next(c *relay.Conn) *poolAttempt {
	p.mu.Lock()
	defer p.mu.Unlock()
	a, again := p.failed[c]
	delete(p.failed, c)
	if !again {
		a = poolAttempt{pool: p, since: time.Now()}
	}
	return &a
}
