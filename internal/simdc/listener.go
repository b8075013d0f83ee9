package simdc

import (
	"net"
	"net/netip"
	"sync"

	"github.com/nspiproxy/nspiproxy/rpcparse"
)

// service is one RPC interface.
type service interface {
	syntax() rpcparse.SyntaxID
	// call runs one call and returns the stub of its response, or the status of
	// the fault that answers it.
	call(c *call) (stub []byte, status uint32)
}

// endpoint is a listening port, the interfaces behind it, its associations
// and its connections.
type endpoint struct {
	server       *Server
	addr         netip.AddrPort
	listener     *net.TCPListener
	services     []service
	associations *associations

	mu     sync.Mutex
	conns  map[*conn]struct{}
	closed bool
	wg     sync.WaitGroup // goroutines of connections and calls
}

func newEndpoint(s *Server, addr netip.AddrPort, services []service) (*endpoint, error) {
	l, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(addr))
	if err != nil {
		return nil, err
	}
	return &endpoint{
		server:       s,
		addr:         l.Addr().(*net.TCPAddr).AddrPort(),
		listener:     l,
		services:     services,
		associations: newAssociations(&s.ids),
		conns:        make(map[*conn]struct{}),
	}, nil
}

// accept serves connections until the listener is closed.
func (e *endpoint) accept() {
	for {
		tcp, err := e.listener.AcceptTCP()
		if err != nil {
			return
		}
		c := newConn(e, tcp)
		if !e.add(c) {
			tcp.Close()
			return
		}
		go c.serve()
	}
}

// add registers c, unless the endpoint is closed.
func (e *endpoint) add(c *conn) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return false
	}
	e.conns[c] = struct{}{}
	e.wg.Add(1)
	return true
}

// remove forgets c, whose goroutine ends.
func (e *endpoint) remove(c *conn) {
	e.mu.Lock()
	delete(e.conns, c)
	e.mu.Unlock()
	e.wg.Done()
}

func (e *endpoint) connections() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.conns)
}

// close stops listening, ends all connections and waits for them.
func (e *endpoint) close(reset bool) {
	e.listener.Close()
	e.mu.Lock()
	e.closed = true
	for c := range e.conns {
		if reset {
			_ = c.tcp.SetLinger(0) // fails only on a closed socket
		}
		c.tcp.Close()
	}
	e.mu.Unlock()
	e.wg.Wait()
}

// service returns the interface that a client asks for: the same UUID and
// major version, at most its minor version (C706 6.2.3).
func (e *endpoint) service(want rpcparse.SyntaxID) service {
	for _, s := range e.services {
		have := s.syntax()
		if have.UUID == want.UUID && have.Major() == want.Major() && want.Minor() <= have.Minor() {
			return s
		}
	}
	return nil
}
