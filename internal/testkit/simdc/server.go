package simdc

import (
	"crypto/rand"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
	"github.com/nspiproxy/nspiproxy/rpcparse/rfri"
)

// Server is a running domain controller.
type Server struct {
	cfg      Config
	guid     [16]byte // what NspiBind tells about itself; the same for all sessions
	sessions *sessions
	ids      atomic.Uint32 // of associations

	epm     *endpoint   // nil without one
	nspi    []*endpoint // at least one
	process []*endpoint // of other interfaces of the process

	mu       sync.Mutex
	requests map[uint16]int // NSPI requests by opnum
}

// Start starts a domain controller.
func Start(cfg Config) (*Server, error) {
	cfg = cfg.withDefaults()
	addrs, err := cfg.addresses()
	if err != nil {
		return nil, fmt.Errorf("simdc: %w", err)
	}
	s := &Server{cfg: cfg, sessions: newSessions(cfg.Limit), requests: make(map[uint16]int)}
	_, _ = rand.Read(s.guid[:]) // never fails
	if err := s.listen(addrs); err != nil {
		s.Close()
		return nil, fmt.Errorf("simdc: %w", err)
	}
	return s, nil
}

// listen opens the endpoints. All ports are known before the first connection
// is accepted, so that the endpoint mapper is complete from the start.
func (s *Server) listen(addrs []netip.Addr) error {
	services := []service{&nspiService{server: s}, &rfriService{refer: s.cfg.Refer}, echoService{EchoInterface}}
	for _, i := range nspi.Process {
		if i.Syntax != rfri.Interface {
			services = append(services, echoService{i.Syntax})
		}
	}
	for i := range 1 + s.cfg.MorePorts {
		port := 0
		if i == 0 {
			port = s.cfg.NSPIPort
		}
		e, err := newEndpoint(s, addrs, uint16(port), services)
		if err != nil {
			return err
		}
		s.nspi = append(s.nspi, e)
	}
	for range s.cfg.ProcessPorts {
		e, err := newEndpoint(s, addrs, 0, services)
		if err != nil {
			return err
		}
		s.process = append(s.process, e)
	}
	if s.cfg.EPMPort >= 0 {
		mapper := &epmService{registrations: s.registrations()}
		e, err := newEndpoint(s, addrs, uint16(s.cfg.EPMPort), []service{mapper})
		if err != nil {
			return err
		}
		s.epm = e
	}
	for _, e := range s.endpoints() {
		e.start()
	}
	return nil
}

func (s *Server) endpoints() []*endpoint {
	all := slices.Concat(s.nspi, s.process)
	if s.epm == nil {
		return all
	}
	return append([]*endpoint{s.epm}, all...)
}

// EPMAddr returns where the endpoint mapper listens, on the first of its
// addresses; invalid without one.
func (s *Server) EPMAddr() netip.AddrPort {
	if s.epm == nil {
		return netip.AddrPort{}
	}
	return s.epm.addr
}

// NSPIAddr returns where NSPI listens, on the first of its ports and
// addresses.
func (s *Server) NSPIAddr() netip.AddrPort { return s.nspi[0].addr }

// NSPIAddrs returns all ports of NSPI, on the first of its addresses.
func (s *Server) NSPIAddrs() []netip.AddrPort {
	var addrs []netip.AddrPort
	for _, e := range s.nspi {
		addrs = append(addrs, e.addr)
	}
	return addrs
}

// ProcessAddrs returns the ports of other interfaces of the process, on the first of
// its addresses.
func (s *Server) ProcessAddrs() []netip.AddrPort {
	var addrs []netip.AddrPort
	for _, e := range s.process {
		addrs = append(addrs, e.addr)
	}
	return addrs
}

// Close ends all connections in an orderly way and waits for their goroutines.
func (s *Server) Close() {
	for _, e := range s.endpoints() {
		e.close(false)
	}
}

// Kill resets all connections at once, as the end of the process would, and
// waits for their goroutines.
func (s *Server) Kill() {
	for _, e := range s.endpoints() {
		e.close(true)
	}
}

// Sessions returns the live sessions by account, DOMAIN\name as configured or
// [Anonymous].
func (s *Server) Sessions() map[string]int { return s.sessions.counts() }

// TotalSessions returns the number of live sessions.
func (s *Server) TotalSessions() int {
	total := 0
	for _, n := range s.sessions.counts() {
		total += n
	}
	return total
}

// Associations returns the live associations of all endpoints.
func (s *Server) Associations() []Association {
	var list []Association
	for _, e := range s.endpoints() {
		list = append(list, e.associations.snapshot(e.addr)...)
	}
	return list
}

// Connections returns the number of open connections of all endpoints.
func (s *Server) Connections() int {
	n := 0
	for _, e := range s.endpoints() {
		n += e.connections()
	}
	return n
}

// Requests returns how many whole NSPI requests have arrived, by opnum,
// whatever became of them.
func (s *Server) Requests() map[uint16]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.requests)
}

// count notes a whole request.
func (s *Server) count(iface rpcparse.SyntaxID, opnum uint16) {
	if iface != nspiInterface {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests[opnum]++
}
