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
	static  []*DC         // of the configuration, by their first addresses
	further []*DC         // the same by their further addresses
	srv     []*srvBackend
	turn    atomic.Uint32 // of Pick

	current    atomic.Pointer[snapshot]
	discovered *lru.Cache[netip.Addr, *DC] // the latest

	work      sync.WaitGroup // the goroutines of Run; added to with mu held and running set
	mu        sync.Mutex
	running   context.Context            // of Run, while it runs
	monitored map[*DC]context.CancelFunc // which end it
	named     []*DC                      // by DNS: the latest that have left its answers, then those in them
	watched   map[netip.Addr]*DC         // monitored because clients go there
	proving   map[*DC]bool               // whose clients are not answered under their own addresses
}

// snapshot is what readers without a lock see.
type snapshot struct {
	members map[string][]*DC
	byAddr  map[netip.Addr]*DC
	all     []*DC
}

// New makes a set. Nothing is monitored before [Set.Run].
func New(o Options) *Set {
	s := &Set{
		o:         o.withDefaults(),
		dial:      dialTCP,
		unseen:    watchUnseen,
		slow:      suspicious,
		proving:   make(map[*DC]bool),
		probing:   make(chan struct{}, maxProbes),
		monitored: make(map[*DC]context.CancelFunc),
		watched:   make(map[netip.Addr]*DC),
	}
	s.o.prove = s.prove
	s.discovered, _ = lru.New[netip.Addr, *DC](maxDiscovered) // fails only for sizes below 1
	for _, b := range o.Backends {
		if b.SRV != "" {
			s.srv = append(s.srv, newSRVBackend(b))
			continue
		}
		s.static = append(s.static, s.staticDC(b, b.Name, b.Address))
		for _, addr := range b.Also {
			s.further = append(s.further, s.staticDC(b, addr.String(), addr))
		}
	}
	s.rebuild() // no other goroutine has s yet
	return s
}

// staticDC makes a domain controller of the configuration.
func (s *Set) staticDC(b Backend, name string, addr netip.Addr) *DC {
	return newDC(name, dcNames{backend: b.Name, server: b.Name}, b.mapper(addr), b.NSPIPort, &s.o)
}

// Run monitors the domain controllers until ctx ends, and returns when all its
// goroutines have ended. It is called once.
func (s *Set) Run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.mu.Lock()
	s.running = ctx
	s.rebuild()
	for _, b := range s.srv {
		s.work.Go(func() { s.follow(ctx, b) })
	}
	s.mu.Unlock()

	<-ctx.Done()
	s.mu.Lock()
	s.running = nil
	for dc := range s.monitored {
		s.stopMonitoring(dc)
	}
	s.rebuild()
	s.mu.Unlock()
	s.work.Wait()
}

// Members returns the domain controllers of a configured backend as they are
// now: one, or those that DNS names for it, by name. The caller must not change
// it. A domain controller that another backend names as well is the same in both,
// and has the name of the one that comes first in the configuration.
func (s *Set) Members(backend string) []*DC { return s.current.Load().members[backend] }

// All returns those that are monitored: of the configuration, of DNS, and the
// watched ones. The caller must not change it.
func (s *Set) All() []*DC { return s.current.Load().all }

// Vanished records that the connections to a host from which nothing comes are silent as
// well ([Options.OnSilent]).
func (s *Set) Vanished(host netip.Addr) {
	for _, dc := range s.All() {
		if dc.Addr == host {
			dc.observe(observation{kind: hostVanished})
		}
	}
}

// startMonitoring starts to monitor dc, if Run runs. s.mu is held.
func (s *Set) startMonitoring(dc *DC) {
	if s.running == nil || s.running.Err() != nil {
		return
	}
	ctx, stop := context.WithCancel(s.running)
	s.monitored[dc] = stop
	dc.observe(observation{kind: monitoringBegun})
	transient := s.watched[dc.Addr] == dc
	s.work.Go(func() {
		s.monitorAndWatch(ctx, dc, transient)
		s.mu.Lock()
		defer s.mu.Unlock()
		if ctx.Err() == nil { // it is still monitored: its watcher was useless
			s.stopMonitoring(dc)
			s.rebuild()
		}
	})
}

// monitorAndWatch keeps the health of dc current until ctx ends, or until the
// watcher of a transient one is useless.
func (s *Set) monitorAndWatch(ctx context.Context, dc *DC, transient bool) {
	ctx, stop := context.WithCancel(ctx)
	var monitoring sync.WaitGroup
	defer monitoring.Wait()
	defer stop()
	monitoring.Go(func() { (&monitor{set: s, dc: dc}).run(ctx) })
	w := &watcher{set: s, dc: dc, transient: transient, process: process{interfaces: s.o.Process(dc.Addr)}}
	if dc.nspiPort != 0 {
		s.o.OnPorts(dc, dc.Ports())
	}
	if dc.nspiPort == 0 || len(w.process.interfaces) > 0 {
		w.run(ctx)
		return
	}
	<-ctx.Done()
}

// stopMonitoring ends the monitoring of dc. s.mu is held.
func (s *Set) stopMonitoring(dc *DC) {
	s.monitored[dc]()
	delete(s.monitored, dc)
	dc.observe(observation{kind: monitoringEnded})
	if s.watched[dc.Addr] == dc {
		delete(s.watched, dc.Addr)
	}
}
