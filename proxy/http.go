package proxy

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/nspiproxy/nspiproxy/proxy/relay"
)

const (
	// httpHeaderTimeout bounds a request's header: metrics are read from
	// this machine as a rule.
	httpHeaderTimeout = 5 * time.Second
	// httpStopTimeout is how long requests may end when the program stops.
	httpStopTimeout = time.Second
)

// metricsServer answers /metrics.
type metricsServer struct {
	server *http.Server
}

// serveMetrics starts the HTTP server of the configuration, if it has one.
func (s *Server) serveMetrics() (*metricsServer, error) {
	addr := s.config.Metrics.Address
	if !addr.IsValid() {
		return &metricsServer{}, nil
	}
	l, err := net.Listen("tcp", addr.String())
	if err != nil {
		return nil, fmt.Errorf("metrics.address: %w", relay.WithRemedy(err, addr))
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.reporter.Registry(), promhttp.HandlerOpts{}))
	m := &metricsServer{server: &http.Server{Handler: mux, ReadHeaderTimeout: httpHeaderTimeout}}
	go m.serve(l)
	s.log.Info().Str("event", "listening").Str("address", l.Addr().String()).Msg("metrics on /metrics")
	return m, nil
}

func (m *metricsServer) serve(l net.Listener) { _ = m.server.Serve(l) } // ends with stop

func (m *metricsServer) stop() {
	if m.server == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), httpStopTimeout)
	defer cancel()
	_ = m.server.Shutdown(ctx) // the program ends: what is open then is cut
}
