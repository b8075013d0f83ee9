package inspect

import (
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx"
)

// securityContext is all that an inspector knows of one security context. It
// hangs on the conversation's record of the context and goes with it, when the
// server refuses the context or the connection ends.
type securityContext struct {
	of   *protection
	keys *secctx.Handshake // follows its tokens; nil without keys
	user *user             // that its binds are charged to; nil until that is settled
	// reported tells that it was reported that the user could not be read.
	reported bool
	caller   uint32 // see session.Conn.NewCaller; 0: none yet
	// desynced tells that a refused bind was withheld from the server without
	// its keys: the server would take the next PDU for tampering, because PDUs
	// are numbered.
	desynced bool
}

// stateOf returns the inspector's record of a security context, made if there
// is none. s must not be nil.
func (p *protection) stateOf(s *rpcparse.SecurityContext) *securityContext {
	if state, ok := s.Follower.(*securityContext); ok {
		return state
	}
	state := &securityContext{of: p}
	s.Follower = state
	return state
}

// follow makes the record of a new security context, with the keys that are
// loaded at this moment. Newer keys do not touch it.
func (p *protection) follow(keys secctx.Keys) *securityContext {
	p.keyed = true
	state := &securityContext{of: p, keys: secctx.NewHandshake(keys)}
	p.undecided = append(p.undecided, state)
	return state
}

// FromClient implements rpcparse.TokenFollower. The user may become another one.
func (c *securityContext) FromClient(token []byte) {
	c.user = nil
	if c.keys != nil {
		c.keys.FromClient(token)
	}
}

// FromServer implements rpcparse.TokenFollower.
func (c *securityContext) FromServer(token []byte) {
	c.user = nil
	if c.keys != nil {
		c.keys.FromServer(token)
	}
}

// Proven implements rpcparse.Prover.
func (c *securityContext) Proven() bool {
	if c.keys == nil {
		return false
	}
	_, ok := c.keys.Identity()
	return ok
}

// Kept implements rpcparse.Keeper.
func (c *securityContext) Kept() (charged, free int) {
	if c.keys == nil {
		return 0, 0
	}
	return c.keys.Kept()
}

// Rejected implements rpcparse.TokenFollower.
func (c *securityContext) Rejected() {
	c.user = nil
	if c.keys != nil {
		c.keys.Rejected()
	}
}

// Refused implements rpcparse.TokenFollower: the context is forgotten.
func (c *securityContext) Refused() {
	if c.keys != nil {
		c.keys.Refused()
	}
	if c.desynced {
		c.desynced = false
		c.of.desynced--
	}
}

// contextOf returns the keys of a security context, or nil.
func contextOf(s *rpcparse.SecurityContext) *secctx.Context {
	if h := handshakeOf(s); h != nil {
		return h.Context()
	}
	return nil
}

// handshakeOf returns what follows a security context with keys, or nil.
func handshakeOf(s *rpcparse.SecurityContext) *secctx.Handshake {
	if s == nil {
		return nil
	}
	if state, ok := s.Follower.(*securityContext); ok {
		return state.keys
	}
	return nil
}

// ticketOf returns whom the ticket names that the server has accepted in a security
// context.
func ticketOf(s *rpcparse.SecurityContext) (*secctx.Identity, bool) {
	h := handshakeOf(s)
	if h == nil || s.Presented != rpcparse.PresentedTicket {
		return nil, false
	}
	return h.Identity()
}

// unreadOf says why the user of a security context could not be read; ok is false
// where nothing was presented that the proxy should have read.
func unreadOf(s *rpcparse.SecurityContext) (why secctx.Outcome, ok bool) {
	switch s.Presented {
	case rpcparse.PresentedMalformed:
		return secctx.Outcome{Result: secctx.Malformed, Detail: "a token that cannot be read"}, true
	case rpcparse.PresentedUnsupported:
		return secctx.Outcome{Result: secctx.Unsupported, Detail: "a mechanism that is not known"}, true
	case rpcparse.PresentedTicket:
		if h := handshakeOf(s); h != nil {
			return h.Unread()
		}
	}
	return secctx.Outcome{}, false
}
