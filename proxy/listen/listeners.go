package listen

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/nspiproxy/nspiproxy/policy"
	"github.com/nspiproxy/nspiproxy/proxy/backend"
	"github.com/nspiproxy/nspiproxy/proxy/inspect"
	"github.com/nspiproxy/nspiproxy/proxy/relay"
	"github.com/nspiproxy/nspiproxy/proxy/transparent"
)

// Options are what listeners are made of.
type Options struct {
	Config      *policy.Config
	Group       *relay.Group
	Controllers *backend.Set
	Inspect     *inspect.Deps
	// Load is how much a domain controller has to do, for the choice among
	// several.
	Load func(name string) (sessions, connections int)
}

// Listeners are all listeners of a configuration.
type Listeners struct {
	Options
	mu          sync.Mutex
	forwards    map[string]*forwardListener // by the listener's name
	listenAddrs sync.Map                    // netip.AddrPort on which forward listeners listen
	interceptor *portInterceptor            // nil: no listener is transparent
	passing     *passing
}

// New prepares listeners. Nothing listens before [Listeners.Start].
func New(o Options) *Listeners {
	return &Listeners{Options: o, forwards: make(map[string]*forwardListener), passing: newPassing(o.Inspect.Events)}
}

// Open reads what was learnt in an earlier run.
func (l *Listeners) Open() { l.interceptor = l.newPortInterceptor() }

// firstLook is how long Intercept waits until the kernel leads clients here. It takes
// some milliseconds, and some tens where rules have to be put in force first.
const firstLook = 5 * time.Second

// Start opens the listeners.
func (l *Listeners) Start() error {
	for n := range l.Config.Listeners {
		if err := l.start(&l.Config.Listeners[n]); err != nil {
			return fmt.Errorf("listener %q: %w", l.Config.Listeners[n].Name, err)
		}
	}
	return nil
}

// Intercept has the kernel lead clients to the transparent listeners, until Close. It is
// for a program that can serve: one that cannot changes no rule of another that does.
func (l *Listeners) Intercept() {
	if l.interceptor != nil {
		l.interceptor.watcher.Start(firstLook)
	}
}

// Intercepting reports whether the kernel leads connections of clients to the
// transparent listeners as the configuration says, and whether there are any.
func (l *Listeners) Intercepting() (is, needed bool) {
	return l.interceptor != nil && l.interceptor.watcher.InForce(), l.interceptor != nil
}

func (l *Listeners) start(config *policy.Listener) error {
	if config.Mode.Transparent() {
		return (&transparentListener{all: l, config: config}).start()
	}
	f := newForwardListener(l, config)
	if err := f.start(); err != nil {
		return err
	}
	l.mu.Lock()
	l.forwards[config.Name] = f
	l.mu.Unlock()
	for _, name := range config.BackendNames() {
		for _, dc := range l.Controllers.Members(name) {
			f.learn(dc, dc.NSPI()) // what was told before
		}
	}
	return nil
}

// forward returns the forward listeners that have been started.
func (l *Listeners) forward() []*forwardListener {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Collect(maps.Values(l.forwards))
}

// Run has the domain controllers watched that are known without a client, counts
// the connections that pass by, and reports what in the configuration does not fit
// this machine, until ctx ends.
func (l *Listeners) Run(ctx context.Context) {
	if l.interceptor == nil {
		return
	}
	var watches sync.WaitGroup
	watches.Go(func() { l.passing.watch(ctx) })
	watches.Go(func() { l.watchPath(ctx) })
	l.interceptor.watchKnown(ctx)
	watches.Wait()
}

// watchPath reports what in the configuration does not fit this machine.
func (l *Listeners) watchPath(ctx context.Context) {
	transparent.New(l.Config).Possible().WatchPath(ctx, func(c transparent.PathChange) {
		l.Inspect.Events.Report(inspect.PathProblem{Listener: c.Listener, Setting: c.Setting(), Subjects: c.Subjects(), Text: c.Text(), Over: c.Over})
	})
}

// Passing returns how many connections pass by transparent listeners, because they
// were made while the proxy did not run. It is a second old.
func (l *Listeners) Passing() int { return int(l.passing.now.Load()) }

// Close keeps what was learnt. The group closes the listeners.
func (l *Listeners) Close() {
	if l.interceptor != nil {
		l.interceptor.close()
	}
}

// PortsTold takes from a domain controller where its NSPI is, and what else its process
// serves.
func (l *Listeners) PortsTold(dc *backend.DC, ports backend.Ports) {
	for _, f := range l.forward() {
		f.learn(dc, ports.NSPI)
	}
	if l.interceptor != nil && l.Config.LeadsTo(dc.Addr) {
		l.interceptor.confirm(dc, ports)
	}
}

// Address returns where clients reach the domain controller's TCP port through
// the named forward listener, if that port is open.
func (l *Listeners) Address(listener string, port uint16) (netip.AddrPort, error) {
	l.mu.Lock()
	f := l.forwards[listener]
	l.mu.Unlock()
	if f == nil || f.pool != nil {
		return netip.AddrPort{}, fmt.Errorf("no listener %q with one domain controller", listener)
	}
	own, ok := f.ports.lookup(target{kind: targetPort, addr: netip.AddrPortFrom(f.dc.Addr, port)})
	if !ok {
		return netip.AddrPort{}, fmt.Errorf("listener %q has no port for port %d", listener, port)
	}
	return netip.AddrPortFrom(f.config.Address, own), nil
}

// unrouted returns what reports connections to a listener that ended before it
// was decided where they go.
func (l *Listeners) unrouted(config *policy.Listener) func(*relay.Conn, relay.CloseReason) {
	return func(c *relay.Conn, reason relay.CloseReason) {
		l.closed(reason, func() inspect.Closed { return inspect.Closed{Client: c.Peer(), Listener: config.Name} })
	}
}

// refused reports clients that were reset because there are too many connections.
func (l *Listeners) refused(config *policy.Listener) func(netip.AddrPort, int) {
	return func(client netip.AddrPort, held int) {
		network := l.Config.Identity.Networks.Of(client.Addr())
		l.Inspect.Events.Report(inspect.ClientRefused{Listener: config.Name, Client: client, Network: network, Held: held})
	}
}

// closed reports the end of a connection.
func (l *Listeners) closed(reason relay.CloseReason, describe func() inspect.Closed) {
	ordinary := isOrdinary(reason.Cause)
	if ordinary && !l.Inspect.Events.Verbose() {
		return
	}
	e := describe()
	e.Cause, e.Err, e.Ordinary = reason.Cause.String(), reason.Err, ordinary
	l.Inspect.Events.Report(e)
}

// isOrdinary reports whether the peers ended a connection, or its reason has an
// event of its own.
func isOrdinary(c relay.Cause) bool {
	switch c {
	case relay.CauseEnd, relay.CauseClientReset, relay.CauseServerReset, relay.CauseShutdown, relay.CauseVerdict, relay.CauseMoved, relay.CauseCrowded:
		return true
	}
	return false
}
