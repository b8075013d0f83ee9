package simdc

import (
	"cmp"
	"net"
	"net/netip"
	"slices"
)

// Peer is an open connection, as this side sees it: what a domain controller
// logs, and what its association checks go by.
type Peer struct {
	Client netip.AddrPort // the other end
	Server netip.AddrPort // this end
}

// Peers returns the open connections of all endpoints, in the order of their
// clients' addresses.
func (s *Server) Peers() []Peer {
	var list []Peer
	for _, e := range s.endpoints() {
		list = append(list, e.peers()...)
	}
	slices.SortFunc(list, func(x, y Peer) int {
		return cmp.Or(x.Client.Compare(y.Client), x.Server.Compare(y.Server))
	})
	return list
}

// SessionPeers returns the live sessions by the client's end of the connection
// that opened them. That connection may have ended: others of its association
// keep its sessions.
func (s *Server) SessionPeers() map[netip.AddrPort]int { return s.sessions.byPeer() }

func (e *endpoint) peers() []Peer {
	e.mu.Lock()
	defer e.mu.Unlock()
	list := make([]Peer, 0, len(e.conns))
	for c := range e.conns {
		list = append(list, Peer{Client: c.peer, Server: unmapped(c.tcp.LocalAddr())})
	}
	return list
}

// unmapped is the address of a TCP connection's end; IPv4 is never written as
// IPv6.
func unmapped(a net.Addr) netip.AddrPort {
	at := a.(*net.TCPAddr).AddrPort()
	return netip.AddrPortFrom(at.Addr().Unmap(), at.Port())
}
