package rpcparse

// caller is the security context under which a request is made, as far as it is
// known.
type caller struct {
	security *SecurityContext // nil: none, or not known
	certain  bool             // servers cannot take the request for another context's
	several  bool             // security is nil because servers may take the request for one of several
}

// callerOf returns the context that the verifier of a request names, or the one
// that a server takes for a request without a verifier.
func (c *Conversation) callerOf(r *Request) (caller, error) {
	if r.HasVerifier {
		s := c.negotiated(&r.Verifier)
		if s == nil {
			return caller{}, nil
		}
		return caller{security: s, certain: true}, s.check(&r.Verifier)
	}
	s, several := c.security.implied()
	if several && (c.opts.FollowAll || c.opts.MidStream) {
		return caller{security: c.security.accepted()}, nil
	}
	return caller{security: s, several: several, certain: s != nil && c.allServersImply(s)}, nil
}

// negotiated returns the security context that a verifier names, or nil. Where
// PDUs may have been missed, a context of another type or level is an earlier one
// of that id, which the server has refused.
func (c *Conversation) negotiated(v *Verifier) *SecurityContext {
	s := c.security.find(v.ContextID)
	if s != nil && c.opts.MidStream && s.check(v) != nil {
		return nil
	}
	return s
}

// allServersImply reports whether every server takes a request without a verifier
// for one under s: the bind began it, and the connection has no other context
// (MS-RPCE 3.3.1.5.4).
func (c *Conversation) allServersImply(s *SecurityContext) bool {
	return len(c.security) == 1 && (s.byBind || c.opts.MidStream)
}

// provableClaim returns which claim of the client the answer to a call proves; 0
// if it proves none.
func (u caller) provableClaim() uint32 {
	if !u.certain {
		return 0
	}
	return u.security.provableClaim()
}

// level returns what protects a call.
func (u caller) level(r *Request) AuthLevel {
	switch {
	case r.HasVerifier:
		return normalLevel(r.Verifier.Level)
	case u.security != nil || u.several:
		return LevelConnect
	}
	return LevelNone
}
