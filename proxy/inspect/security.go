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
	p.keyed = p.keyed || keys.Kerberos() != nil
	state := &securityContext{of: p, keys: secctx.NewHandshake(keys)}
	p.undecided = append(p.undecided, state)
	return state
}

// FromClient implements rpcparse.TokenFollower.
func (c *securityContext) FromClient(token []byte) {
	if c.keys != nil {
		c.keys.FromClient(token)
	}
}

// FromServer implements rpcparse.TokenFollower.
func (c *securityContext) FromServer(token []byte) {
	if c.keys != nil {
		c.keys.FromServer(token)
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
	if s == nil {
		return nil
	}
	if state, ok := s.Follower.(*securityContext); ok && state.keys != nil {
		return state.keys.Context()
	}
	return nil
}

// ticketOf returns what the verified ticket of a security context says.
func ticketOf(s *rpcparse.SecurityContext) (*secctx.Identity, bool) {
	if s == nil {
		return nil, false
	}
	state, ok := s.Follower.(*securityContext)
	if !ok || state.keys == nil {
		return nil, false
	}
	return state.keys.Identity()
}
