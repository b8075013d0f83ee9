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
	// FromServer is called for every answer to a PDU that carried a token. The
	// token is empty where the answer has none.
	FromServer(token []byte)
	// Rejected tells that the server answered a token with a fault. The client may
	// present another.
	Rejected()
	Refused() // the server refused to begin the context, and it is forgotten: the last call
}

// Prover is a [TokenFollower] that can tell from the server's tokens alone that the
// server has accepted what the client presented last, as an AP-REP shows that ends
// an exchange of two legs.
type Prover interface {
	Proven() bool
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

// contest notes that a handshake PDU for some contexts was not understood. A
// context that the server has accepted gets no other user (MS-RPCE
// 3.3.1.5.2.1).
func (t securityContexts) contest(which func(*SecurityContext) bool) {
	for _, s := range t {
		if !s.Accepted() && which(s) {
			s.present(PresentedMalformed)
			s.contested = true
		}
	}
}

// begun returns how many bytes are kept of tokens that go on in a later PDU.
func (t securityContexts) begun() (n int) {
	for _, s := range t {
		if s.begun != nil {
			n += len(*s.begun)
		}
	}
	return n
}

// implied returns the context that a server takes for a request without a
// verifier: the only one at level connect. Where there are several, Windows demands a
// verifier (MS-RPCE 3.3.1.5.4), and Samba takes the one that was accepted last, or
// the first: see presented.
func (t securityContexts) implied() (only *SecurityContext, several bool) {
	for _, s := range t {
		if s.Level > LevelConnect {
			continue
		}
		if only != nil {
			return nil, true
		}
		only = s
	}
	return only, false
}

// presented returns the contexts at level connect with which the client has
// presented something, or all of them if it has with none.
func (t securityContexts) presented() (list []*SecurityContext) {
	var all []*SecurityContext
	for _, s := range t {
		if s.Level > LevelConnect {
			continue
		}
		all = append(all, s)
		if s.Presented != PresentedNothing {
			list = append(list, s)
		}
	}
	if len(list) == 0 {
		return all
	}
	return list
}

// accepted returns the first context at level connect that the server has accepted,
// or nil.
func (t securityContexts) accepted() *SecurityContext {
	for _, s := range t {
		if s.Level <= LevelConnect && s.Accepted() {
			return s
		}
	}
	return nil
}
