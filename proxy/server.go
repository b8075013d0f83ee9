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
	services  []*service
	http      *metricsServer
	keys      *keyring
	directory *directory.Directory // nil: none
}

// New prepares a server for a valid configuration. Nothing listens before
// [Server.Start]. The log is written from one goroutine.
func New(config *policy.Config, log zerolog.Logger) (*Server, error) {
	s := &Server{
		config:  config,
		policy:  policy.New(config.Policy),
		refusal: refusal{form: failureForm(config.Policy.Refusal.Form), status: uint32(config.Policy.Refusal.FaultStatus)},
		log:     log,
		table:   session.NewTable(session.Options{Now: time.Now}),
		metrics: newMetrics(),
	}
	s.recorder = newRecorder(log, time.Now, s.metrics.lost.Inc)
	keys, err := newKeyring(config.Identity.Keytabs, log)
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
	return s, s.metrics.registry.Register(relayCollector{group: group, table: s.table})
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
// metrics. When one cannot be opened, the others are closed again and the error
// says which.
func (s *Server) Start() (err error) {
	defer func() {
		if err != nil {
			_ = s.group.Shutdown(expired())
		}
	}()
	for n := range s.config.Listeners {
		v := newService(s, &s.config.Listeners[n])
		if err := v.start(); err != nil {
			return err
		}
		s.services = append(s.services, v)
	}
	s.http, err = s.serveMetrics()
	return err
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
// through the named listener, if that port is open.
func (s *Server) Address(listener string, target uint16) (netip.AddrPort, error) {
	for _, v := range s.services {
		if v.listener.Name == listener {
			if port, ok := v.ports.lookup(target); ok {
				return addrPort(v.listener.Address, port), nil
			}
			return netip.AddrPort{}, fmt.Errorf("listener %q has no port for port %d", listener, target)
		}
	}
	return netip.AddrPort{}, fmt.Errorf("no listener %q", listener)
}
