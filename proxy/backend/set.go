package backend

import (
	"context"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

// Set is all domain controllers: those of the configuration, those that DNS
// names for it, and those that clients were seen to connect to.
type Set struct {
	o       Options
	dial    dialer
	unseen  time.Duration // watchUnseen
	slow    time.Duration // suspicious
	probing chan struct{} // the places of active checks
	static  []*DC
	srv     []*srvBackend
	turn    atomic.Uint32 // of Pick

	current atomic.Pointer[snapshot]
	found   *lru.Cache[netip.Addr, *DC] // discovered, the latest

	work     sync.WaitGroup // the goroutines of Run; added to with mu held and running set
	mu       sync.Mutex
	running  context.Context // of Run, while it runs
	attended map[*DC]*attendance
	named    []*DC              // by DNS: those in its answers, and the latest that have left them
	watched  map[netip.Addr]*DC // attended to because clients go there
}

// snapshot is what readers without a lock see.
type snapshot struct {
	members map[string][]*DC
	byAddr  map[netip.Addr]*DC
	all     []*DC
}

// attendance is the looking after one domain controller, from its start to its
// end.
type attendance struct{ stop context.CancelFunc }

// New makes a set. Nothing is looked after before [Set.Run].
func New(o Options) *Set {
	s := &Set{
		o:        o.withDefaults(),
		dial:     dialTCP,
		unseen:   watchUnseen,
		slow:     suspicious,
		probing:  make(chan struct{}, maxProbes),
		attended: make(map[*DC]*attendance),
		watched:  make(map[netip.Addr]*DC),
	}
	s.found, _ = lru.New[netip.Addr, *DC](maxDiscovered) // fails only for sizes below 1
	for _, b := range o.Backends {
		if b.SRV != "" {
			s.srv = append(s.srv, newSRVBackend(b))
			continue
		}
		s.static = append(s.static, s.staticDC(b, b.Name, b.Address))
	}
	for _, b := range o.Backends {
		for _, addr := range b.Also {
			s.static = append(s.static, s.staticDC(b, addr.String(), addr))
		}
	}
	s.arrange() // nobody else has s yet
	return s
}

// staticDC makes a domain controller of the configuration.
func (s *Set) staticDC(b Backend, name string, addr netip.Addr) *DC {
	return newDC(name, dcNames{backend: b.Name, server: b.Name}, b.mapper(addr), b.NSPIPort, &s.o)
}

// Run looks after the domain controllers until ctx ends, and returns when
// nothing of it is left. It is called once.
func (s *Set) Run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.mu.Lock()
	s.running = ctx
	s.arrange()
	for _, b := range s.srv {
		s.work.Go(func() { s.follow(ctx, b) })
	}
	s.mu.Unlock()

	<-ctx.Done()
	s.mu.Lock()
	s.running = nil
	s.mu.Unlock()
	s.work.Wait()
}

// Members returns the domain controllers of a configured backend as they are
// now: one, or those that DNS names for it, by name. It must not be changed. A
// domain controller that another backend names as well is the same in both, and
// has the name of the one that comes first in the configuration.
func (s *Set) Members(config string) []*DC { return s.current.Load().members[config] }

// All returns those that are looked after: of the configuration, of DNS, and
// the watched ones. It must not be changed.
func (s *Set) All() []*DC { return s.current.Load().all }

// attend starts to look after dc, while Run runs. s.mu is held.
func (s *Set) attend(dc *DC) {
	if s.running == nil || s.running.Err() != nil {
		return
	}
	ctx, stop := context.WithCancel(s.running)
	a := &attendance{stop: stop}
	s.attended[dc] = a
	dc.setMonitored(true)
	transient := s.watched[dc.Addr] == dc
	s.work.Go(func() {
		s.lookAfter(ctx, dc, transient)
		stop()
		s.leave(dc, a)
	})
}

// lookAfter monitors and watches dc until ctx ends, or until there is no use in
// that for one that is transient.
func (s *Set) lookAfter(ctx context.Context, dc *DC, transient bool) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	if dc.nspiPort != 0 {
		s.o.OnPorts(dc, dc.NSPI())
		(&monitor{set: s, dc: dc}).run(ctx)
		return
	}
	var monitoring sync.WaitGroup
	monitoring.Go(func() { (&monitor{set: s, dc: dc}).run(ctx) })
	(&watcher{set: s, dc: dc, transient: transient}).run(ctx)
	stop()
	monitoring.Wait()
}

// leave forgets that dc was looked after, unless it is again already.
func (s *Set) leave(dc *DC, a *attendance) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.attended[dc] != a {
		return
	}
	s.dismiss(dc)
	s.arrange()
}

// dismiss ends the looking after dc, if there is any. s.mu is held.
func (s *Set) dismiss(dc *DC) {
	a := s.attended[dc]
	if a == nil {
		return
	}
	a.stop()
	delete(s.attended, dc)
	dc.setMonitored(false)
	if s.watched[dc.Addr] == dc {
		delete(s.watched, dc.Addr)
	}
}
