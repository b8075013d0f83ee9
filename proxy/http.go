package proxy

import (
	"context"
	"fmt"
	"log"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/nspiproxy/nspiproxy/proxy/inspect"
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
	m := &metricsServer{server: &http.Server{
		Handler: mux, ReadHeaderTimeout: httpHeaderTimeout, ErrorLog: log.New(httpErrors{s.reporter}, "", 0),
	}}
	go m.serve(l)
	s.reporter.Report(inspect.Listening{Address: l.Addr().(*net.TCPAddr).AddrPort()})
	return m, nil
}

// httpErrors reports what the HTTP server has to say.
type httpErrors struct{ events inspect.Events }

// Write implements io.Writer for a log.Logger, which calls it once for each record.
func (h httpErrors) Write(b []byte) (int, error) {
	h.events.Report(inspect.HTTPError{Text: strings.TrimSpace(string(b))})
	return len(b), nil
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
