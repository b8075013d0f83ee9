package simdc

import (
	"maps"
	"net/netip"
	"sync"
)

// sessions counts the live sessions of each user. A session is what a
// successful NspiBind makes and NspiUnbind or a rundown ends.
type sessions struct {
	limit int // negative: none

	mu    sync.Mutex
	held  map[string]*holder     // by User.key
	peers map[netip.AddrPort]int // the same sessions, by session.peer
}

type holder struct {
	account string
	n       int
}

// session is the resource behind one context handle.
type session struct {
	owner *sessions
	key   string
	peer  netip.AddrPort // of the connection that opened it
}

func newSessions(limit int) *sessions {
	return &sessions{limit: limit, held: make(map[string]*holder), peers: make(map[netip.AddrPort]int)}
}

// open makes a session of u for peer, unless u holds as many as it may.
func (s *sessions) open(u *User, peer netip.AddrPort) (*session, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := u.key()
	h := s.held[key]
	if h == nil {
		h = &holder{account: u.Account()}
	}
	if s.limit >= 0 && h.n >= s.limit {
		return nil, false
	}
	h.n++
	s.held[key] = h
	s.peers[peer]++
	return &session{owner: s, key: key, peer: peer}, true
}

// rundown ends the session. Whoever removes its handle calls it, once.
func (x *session) rundown() {
	s := x.owner
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.held[x.key]
	if h.n--; h.n == 0 {
		delete(s.held, x.key)
	}
	if s.peers[x.peer]--; s.peers[x.peer] == 0 {
		delete(s.peers, x.peer)
	}
}

// counts returns the live sessions by account.
func (s *sessions) counts() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := make(map[string]int, len(s.held))
	for _, h := range s.held {
		m[h.account] += h.n
	}
	return m
}

// byPeer returns the live sessions by the peer that opened them.
func (s *sessions) byPeer() map[netip.AddrPort]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.peers)
}
