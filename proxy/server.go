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
	"github.com/nspiproxy/nspiproxy/proxy/inspect"
	"github.com/nspiproxy/nspiproxy/proxy/listen"
	"github.com/nspiproxy/nspiproxy/proxy/relay"
	"github.com/nspiproxy/nspiproxy/proxy/report"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/session"
	"github.com/nspiproxy/nspiproxy/session/directory"
)

// Server is one running proxy. It makes the parts, connects them, starts and
// stops them; what they do is theirs.
type Server struct {
	config      *policy.Config
	reporter    *report.Reporter
	table       *session.Table
	keys        *keyring
	directory   *directory.Directory // nil: none
	inspect     *inspect.Deps
	group       *relay.Group
	record      *connectionRecord
	vanished    *vanished
	controllers *backend.Set
	listeners   *listen.Listeners
	paths       *paths
	http        *metricsServer

	attending sync.WaitGroup
	leave     context.CancelFunc // ends the attending to domain controllers
}

// Options are what a [Server] is given beside its configuration. The zero value
// logs nothing and checks no domain controller actively.
type Options struct {
	// Log is written from one goroutine, which may wait for it: nothing else does.
	Log zerolog.Logger
	// LogLost counts the records that the log has not taken; nil: none.
	LogLost func() uint64
	// Prober makes what checks whether a domain controller serves, and may be called several
	// times at once; nil: nothing does. It reports that it could not check one.
	Prober func(inspect.Events) backend.Prober
}

// logTime is how long the log may take for the last records: one that takes none, as a full
// pipe, does not hold up the end.
const logTime = 2 * time.Second

// New prepares a server for a valid configuration. Nothing listens before
// [Server.Start].
func New(config *policy.Config, o Options) (s *Server, err error) {
	s = &Server{config: config, table: session.NewTable(session.Options{Now: time.Now})}
	s.reporter = report.New(report.Options{Log: o.Log, Lost: o.LogLost, Backends: backendNames(config)})
	if s.keys, s.directory, err = open(config, s.reporter); err != nil {
		return nil, err
	}
	if s.directory != nil {
		s.reporter.Registry().MustRegister(directoryCollector(s.directory))
	}
	s.record = new(connectionRecord)
	options := relayOptions(&config.Relay, s.record)
	options.NetworkOf = config.Identity.Networks.Of
	if s.group, err = relay.NewGroup(options); err != nil {
		return nil, fmt.Errorf("event loops: %w", relay.WithRemedy(err, netip.AddrPort{}))
	}
	s.vanished = newVanished(s.group, func(host netip.Addr) { s.controllers.Vanished(host) })
	s.inspect = s.newInspectDeps()
	var prober backend.Prober
	if o.Prober != nil {
		prober = o.Prober(s.reporter)
	}
	s.controllers = s.newControllers(prober)
	s.listeners = listen.New(listen.Options{
		Config: config, Group: s.group, Controllers: s.controllers, Inspect: s.inspect, Load: s.load,
	})
	s.paths = newPaths(config, s.listeners, s.reporter)
	s.reporter.Registry().MustRegister(relayCollector{group: s.group, table: s.table, passing: s.listeners.Passing, intercepting: s.listeners.Intercepting}, controllerCollector{server: s})
	return s, nil
}

func backendNames(c *policy.Config) (names []string) {
	for i := range c.Backends {
		names = append(names, c.Backends[i].Name)
	}
	return names
}

// newInspectDeps joins what inspectors share.
func (s *Server) newInspectDeps() *inspect.Deps {
	d := &inspect.Deps{Sessions: s.table, Events: s.reporter}
	d.Settings.Store(inspect.NewSettings(s.config))
	if len(s.config.Identity.Keytabs) > 0 {
		d.Keys = s.keys
	}
	if s.directory != nil {
		d.Directory = accounts{s.directory}
	}
	return d
}

func relayOptions(c *policy.Relay, record relay.Record) relay.Options {
	o := relay.Options{
		Record:           record,
		Loops:            c.Loops,
		MaxConnections:   c.MaxConnections,
		MaxFromNetwork:   c.MaxFromNetwork,
		ConnectTimeout:   c.ConnectTimeout,
		FailoverTimeout:  c.FailoverTimeout,
		HandshakeTimeout: c.HandshakeTimeout,
		SessionTimeout:   c.SessionTimeout,
		KeepAlive:        c.Keepalive,
		MaxKept:          c.MaxKept,
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
			s.record.close(s.reporter)
			within(logTime, func() { s.reporter.Run(expired()) })
		}
	}()
	s.reportCounting()
	s.record.open(string(s.config.Relay.ConnectionsFile), s.config.Relay.MaxConnections, s.reporter)
	s.listeners.Open()
	ctx, cancel := context.WithCancel(context.Background())
	s.leave = cancel
	s.attending.Go(func() { s.controllers.Run(ctx) })
	s.attending.Go(func() { s.listeners.Run(ctx) })
	if err := s.listeners.Start(); err != nil {
		return err
	}
	s.attending.Go(func() { s.finishLeft(ctx) })
	s.paths.open(s.config)
	s.attending.Go(func() { s.paths.run(ctx) })
	if s.http, err = s.serveMetrics(); err != nil {
		return err
	}
	s.listeners.Intercept()
	return nil
}

// end stops looking after the domain controllers, and keeps what was learnt.
func (s *Server) end() {
	if s.leave != nil {
		s.paths.close()
		s.leave()
		s.attending.Wait()
	}
	s.listeners.Close()
}

// expired returns a context that is over: for a shutdown that does not wait.
func expired() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// within calls f, and returns when it has, or when the time is over.
func within(d time.Duration, f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
	case <-time.After(d):
	}
}

// Run serves, after Start, until ctx ends, then stops accepting, waits for
// connections to end as long as the configuration says, closes the rest, and
// returns.
func (s *Server) Run(ctx context.Context) error {
	stopWriter, stop := context.WithCancel(context.WithoutCancel(ctx))
	var writer sync.WaitGroup
	writer.Go(func() { s.reporter.Run(stopWriter) })
	defer within(logTime, writer.Wait)
	defer stop()

	go s.expireClaims(stopWriter)
	go s.keys.watch(stopWriter)

	defer s.record.close(s.reporter)
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
		s.reporter.Report(inspect.ShutdownDeadline{After: s.config.Relay.ShutdownTimeout})
		return nil
	}
	return err
}

// expireClaims lets requests go on that wait for a claim which stays unanswered.
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

// Address returns where clients reach the domain controller's TCP port through
// the named forward listener, if that port is open.
func (s *Server) Address(listener string, port uint16) (netip.AddrPort, error) {
	return s.listeners.Address(listener, port)
}
