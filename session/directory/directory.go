package directory

import (
	"context"
	"sync"
	"sync/atomic"
)

// Result is one account of the directory.
type Result struct {
	SID    string   // "S-1-5-21-…" in decimal
	Groups []string // SIDs of its groups, nested ones included; nil: the server would not tell
	User   string   // sAMAccountName
	UPN    string   // userPrincipalName; empty: it has none

	// The account's domain; empty: it is in none that is known.
	Domain Domain
}

// Account returns NETBIOS\sAMAccountName, the one spelling to show.
func (r Result) Account() string {
	if r.Domain.NetBIOS == "" {
		return r.User
	}
	return r.Domain.NetBIOS + `\` + r.User
}

// Domain is a domain by its names.
type Domain struct{ NetBIOS, DNS string }

// Directory answers which account a name means. All methods are safe for
// concurrent use.
type Directory struct {
	config  Config
	server  server
	cache   *cache
	breaker breaker
	counts  counts
	domains atomic.Pointer[[]Domain] // nil before the first connection

	queue   chan *flight
	stop    context.CancelFunc // ends all flights
	running context.Context    // done after stop
	pending sync.WaitGroup     // workers, and flights without an answer

	mu      sync.Mutex
	flights map[string]*flight // by key of the name
	closed  bool
}

// New returns a directory. It connects when the first name is looked up. The error
// is about the configuration. Call Close when done.
func New(config Config) (*Directory, error) {
	config = config.withDefaults()
	server, err := parseURL(config.URL)
	if err != nil {
		return nil, err
	}
	if err := config.check(server); err != nil {
		return nil, err
	}
	d := &Directory{
		config:  config,
		server:  server,
		cache:   newCache(config),
		queue:   make(chan *flight, maxQueued),
		flights: make(map[string]*flight),
	}
	d.running, d.stop = context.WithCancel(context.Background())
	for range workers {
		d.pending.Go((&worker{directory: d}).run)
	}
	return d, nil
}

// Close ends all look-ups with [ErrClosed] and closes the connections. It returns
// when no goroutine of the directory runs any more, so it must not be called from
// a function that was given to [Directory.Resolve].
func (d *Directory) Close() {
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	d.stop()
	d.pending.Wait()
	d.cache.purge()
}

// Domains returns the domains of the forest and those that it trusts, as they were
// when a connection was made last. ok is false before the first. The list is
// shared and must not be changed.
func (d *Directory) Domains() (list []Domain, ok bool) {
	p := d.domains.Load()
	if p == nil {
		return nil, false
	}
	return *p, true
}

// Cached answers from memory and never waits. ok says that there is an answer,
// found that it is a result: otherwise the directory has no such account, or
// several.
func (d *Directory) Cached(account string) (result Result, found, ok bool) {
	n, err := parseName(account)
	if err != nil {
		return Result{}, false, true
	}
	a, ok := d.remembered(n)
	return a.result, ok && a.err == nil, ok
}

// remembered answers from memory, and has a stale answer asked for again.
func (d *Directory) remembered(n name) (a remembered, ok bool) {
	a, ok = d.cache.get(n.key())
	if ok && a.stale && d.breaker.open() == nil {
		d.refresh(n)
	}
	return a, ok
}

// Resolve calls done exactly once with the answer, within [Config.Timeout]: before
// Resolve returns if there is nothing to wait for, else on a goroutine of this
// package, which done must not block. Resolve itself never waits.
func (d *Directory) Resolve(account string, done func(Result, error)) {
	n, err := parseName(account)
	if err != nil {
		done(Result{}, err)
		return
	}
	if a, ok := d.remembered(n); ok {
		d.counts.cached.Add(1)
		done(a.result, a.err)
		return
	}
	err = d.breaker.open()
	if err == nil {
		err = d.join(n, done)
	}
	if err != nil {
		d.counts.add(err)
		done(Result{}, err)
	}
}

// Lookup waits for the answer or the end of ctx.
func (d *Directory) Lookup(ctx context.Context, account string) (Result, error) {
	type answer struct {
		result Result
		err    error
	}
	answers := make(chan answer, 1)
	d.Resolve(account, func(r Result, err error) { answers <- answer{r, err} })
	select {
	case a := <-answers:
		return a.result, a.err
	case <-ctx.Done():
		return Result{}, context.Cause(ctx)
	}
}
