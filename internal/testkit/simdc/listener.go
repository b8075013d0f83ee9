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
	addr         netip.AddrPort     // the first of its addresses
	listeners    []*net.TCPListener // one for each address, all on one port
	services     []service
	associations *associations

	mu     sync.Mutex
	conns  map[*conn]struct{}
	closed bool
	wg     sync.WaitGroup // goroutines of connections and calls
}

func newEndpoint(s *Server, addrs []netip.Addr, port uint16, services []service) (*endpoint, error) {
	listeners, err := listen(addrs, port)
	if err != nil {
		return nil, err
	}
	return &endpoint{
		server:       s,
		addr:         listeners[0].Addr().(*net.TCPAddr).AddrPort(),
		listeners:    listeners,
		services:     services,
		associations: newAssociations(&s.ids),
		conns:        make(map[*conn]struct{}),
	}, nil
}

// portTries is how many ports are tried until one is free on every address:
// what is taken on one of them is a matter of luck, each time anew.
const portTries = 20

// listen opens one port on every address; port 0 is any that is free on all of
// them.
func listen(addrs []netip.Addr, port uint16) ([]*net.TCPListener, error) {
	for try := 1; ; try++ {
		listeners, err := listenOn(addrs, port)
		if err == nil || port != 0 || try == portTries {
			return listeners, err
		}
	}
}

func listenOn(addrs []netip.Addr, port uint16) (listeners []*net.TCPListener, err error) {
	for _, addr := range addrs {
		l, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(netip.AddrPortFrom(addr, port)))
		if err != nil {
			for _, open := range listeners {
				open.Close()
			}
			return nil, err
		}
		listeners = append(listeners, l)
		port = l.Addr().(*net.TCPAddr).AddrPort().Port()
	}
	return listeners, nil
}

// start serves connections from now on.
func (e *endpoint) start() {
	for _, l := range e.listeners {
		go e.accept(l)
	}
}

// accept serves connections until the listener is closed.
func (e *endpoint) accept(l *net.TCPListener) {
	for {
		tcp, err := l.AcceptTCP()
		if err != nil {
			return
		}
		if d := e.server.cfg.KeepAlive; d > 0 {
			_ = tcp.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: d, Interval: d}) // fails only on a closed socket
		}
		if e.server.cfg.NoKeepAlive {
			_ = tcp.SetKeepAlive(false) // fails only on a closed socket
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
	for _, l := range e.listeners {
		l.Close()
	}
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
