package proxy

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/nspiproxy/nspiproxy/policy"
	"github.com/nspiproxy/nspiproxy/proxy/backend"
	"github.com/nspiproxy/nspiproxy/proxy/relay"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
	"github.com/nspiproxy/nspiproxy/session"
	"github.com/nspiproxy/nspiproxy/session/directory"
)

// Server is one running proxy: its listeners, its session table, its policy.
type Server struct {
	config    *policy.Config
	policy    *policy.Policy
	refusal   refusal
	log       zerolog.Logger
	table     *session.Table
	group     *relay.Group
	metrics   *metrics
	recorder  *recorder
	forwards  map[string]*forward // by the listener's name
	own       sync.Map            // netip.AddrPort on which forward listeners listen
	http      *metricsServer
	keys      *keyring
	directory *directory.Directory // nil: none

	controllers  *backend.Set
	interception *interception // nil: no listener is transparent
	attending    sync.WaitGroup
	leave        context.CancelFunc // ends the attending to domain controllers
}

// Options are what a [Server] is given beside its configuration. The zero value
// logs nothing and checks no domain controller actively.
type Options struct {
	Log zerolog.Logger // written from one goroutine
	// Prober checks whether a domain controller serves. It may run several times
	// at once.
	Prober backend.Prober
}

// New prepares a server for a valid configuration. Nothing listens before
// [Server.Start].
func New(config *policy.Config, o Options) (*Server, error) {
	s := &Server{
		config:   config,
		policy:   policy.New(config.Policy),
		refusal:  refusal{form: failureForm(config.Policy.Refusal.Form), status: uint32(config.Policy.Refusal.FaultStatus)},
		log:      o.Log,
		table:    session.NewTable(session.Options{Now: time.Now}),
		metrics:  newMetrics(),
		forwards: make(map[string]*forward),
	}
	for _, b := range config.Backends {
		s.metrics.backends.label(b.Name) // these have theirs, whoever comes first
	}
	s.recorder = newRecorder(o.Log, time.Now, s.metrics.lost.Inc)
	s.controllers = s.newControllers(o.Prober)
	keys, err := newKeyring(config.Identity.Keytabs, o.Log)
	if err != nil {
		return nil, err
	}
	s.keys = keys
	if s.directory, err = newDirectory(&config.Identity.Directory); err != nil {
		return nil, err
	}
	group, err := relay.NewGroup(relayOptions(&config.Relay))
	if err != nil {
		return nil, err
	}
	s.group = group
	s.metrics.registry.MustRegister(relayCollector{group: group, table: s.table}, controllerCollector{server: s})
	return s, nil
}

func failureForm(f policy.RefusalForm) nspi.FailureForm {
	if f == policy.FormEcho {
		return nspi.FormEcho
	}
	return nspi.FormSpec
}

func relayOptions(c *policy.Relay) relay.Options {
	o := relay.Options{
		Loops:            c.Loops,
		MaxConnections:   c.MaxConnections,
		ConnectTimeout:   c.ConnectTimeout,
		HandshakeTimeout: c.HandshakeTimeout,
		KeepAlive:        c.Keepalive,
		Limits:           rpcparse.Limits{MaxFragment: c.MaxFragment},
	}
	if c.NonRPC == policy.NonRPCPass {
		o.NonRPC = relay.PassNonRPC
	}
	return o
}

// Start opens the listeners of the configuration and the HTTP server for
// metrics, and begins to look after the domain controllers. When something
// cannot be opened, the rest is closed again and the error says which.
func (s *Server) Start() (err error) {
	defer func() {
		if err != nil {
			s.end()
			_ = s.group.Shutdown(expired())
		}
	}()
	s.interception = s.newInterception()
	ctx, cancel := context.WithCancel(context.Background())
	s.leave = cancel
	s.attending.Go(func() { s.controllers.Run(ctx) })
	if s.interception != nil {
		s.attending.Go(func() { s.interception.watchKnown(ctx) })
	}
	for n := range s.config.Listeners {
		if err := s.startListener(&s.config.Listeners[n]); err != nil {
			return fmt.Errorf("listener %q: %w", s.config.Listeners[n].Name, err)
		}
	}
	s.http, err = s.serveMetrics()
	return err
}

func (s *Server) startListener(l *policy.Listener) error {
	if l.Mode.Transparent() {
		return (&intercept{server: s, listener: l}).start()
	}
	v := newForward(s, l)
	s.forwards[l.Name] = v
	return v.start()
}

// end stops looking after the domain controllers, and keeps what was learnt.
func (s *Server) end() {
	if s.leave != nil {
		s.leave()
		s.attending.Wait()
	}
	if s.interception != nil {
		s.interception.close()
	}
}

// expired returns a context that is over: a shutdown that waits for nobody.
func expired() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// Run serves, after Start, until ctx ends, then stops accepting, waits for
// connections to end as long as the configuration says, closes the rest, and
// returns.
func (s *Server) Run(ctx context.Context) error {
	stopWriter, stop := context.WithCancel(context.WithoutCancel(ctx))
	var writer sync.WaitGroup
	writer.Go(func() { s.recorder.run(stopWriter) })
	defer writer.Wait()
	defer stop()

	go s.expireClaims(stopWriter)
	go s.keys.watch(stopWriter)

	defer s.end()
	defer s.http.stop()
	if s.directory != nil {
		defer s.directory.Close()
	}

	<-ctx.Done()
	deadline, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.config.Relay.ShutdownTimeout)
	defer cancel()
	err := s.group.Shutdown(deadline)
	if errors.Is(err, context.DeadlineExceeded) {
		s.log.Warn().Str("event", "shutdown.deadline").Dur("after", s.config.Relay.ShutdownTimeout).
			Msg("connections were still open and have been closed")
		return nil
	}
	return err
}

// expireClaims lets requests go on that wait for a claim which nobody answers.
func (s *Server) expireClaims(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.table.Expire()
		case <-ctx.Done():
			return
		}
	}
}

// Sessions returns who holds what at this moment.
func (s *Server) Sessions() *session.Table { return s.table }

// Address returns where clients reach the domain controller's TCP port target
// through the named forward listener, if that port is open.
func (s *Server) Address(listener string, target uint16) (netip.AddrPort, error) {
	v := s.forwards[listener]
	if v == nil || v.pool != nil {
		return netip.AddrPort{}, fmt.Errorf("no listener %q with one domain controller", listener)
	}
	port, ok := v.ports.lookup(place{kind: placePort, addr: addrPort(v.dc.Addr, target)})
	if !ok {
		return netip.AddrPort{}, fmt.Errorf("listener %q has no port for port %d", listener, target)
	}
	return addrPort(v.listener.Address, port), nil
}
