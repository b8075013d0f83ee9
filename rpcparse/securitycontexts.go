package rpcparse

import "slices"

// MaxSecurityContexts is how many security contexts one connection may have.
// It is above what servers allow, for they are to say no first: 2048 in Windows
// (MS-RPCE appendix A <104>), 2049 in Samba.
const MaxSecurityContexts = 2304

// TokenFollower follows the tokens of one security context. It must not keep
// them.
type TokenFollower interface {
	FromClient(token []byte)
	FromServer(token []byte)
	Refused() // the server refused to begin the context, and it is forgotten: the last call
}

// securityContexts are the security contexts of one connection. An empty list
// takes no memory.
type securityContexts []*SecurityContext

// find returns the context of that id, or nil.
func (t securityContexts) find(id uint32) *SecurityContext {
	for _, s := range t {
		if s.ID == id {
			return s
		}
	}
	return nil
}

// begin adds the context that a verifier of a handshake PDU begins.
func (t *securityContexts) begin(v *Verifier, newFollower func(*SecurityContext) TokenFollower) (*SecurityContext, error) {
	if len(*t) >= MaxSecurityContexts {
		return nil, Errorf(ClassLimit, "security_contexts", v.Offset,
			"more than %d security contexts on one connection", MaxSecurityContexts)
	}
	s := &SecurityContext{ID: v.ContextID, Type: normalType(v.Type), Level: normalLevel(v.Level)}
	if newFollower != nil {
		s.Follower = newFollower(s)
	}
	*t = append(*t, s)
	return s, nil
}

// refuse forgets the contexts that the server has refused to begin.
func (t *securityContexts) refuse(which func(*SecurityContext) bool) {
	*t = slices.DeleteFunc(*t, func(s *SecurityContext) bool {
		if !which(s) {
			return false
		}
		s.state = securityRefused
		if s.Follower != nil {
			s.Follower.Refused()
		}
		return true
	})
	if len(*t) == 0 {
		*t = nil
	}
}

// doubtUser notes that a handshake PDU for some contexts was not understood.
func (t securityContexts) doubtUser(which func(*SecurityContext) bool) {
	for _, s := range t {
		s.userUnknown = s.userUnknown || which(s)
	}
}

// implied returns the context that a server takes for a request without a
// verifier: the only one at level connect, or the first accepted one where there
// are several. Windows demands a verifier then.
func (t securityContexts) implied() (s *SecurityContext, several bool) {
	var only, accepted *SecurityContext
	for _, k := range t {
		if k.Level > LevelConnect {
			continue
		}
		several = only != nil
		if only == nil {
			only = k
		}
		if accepted == nil && k.Accepted() {
			accepted = k
		}
	}
	if several {
		return accepted, true
	}
	return only, false
}
