package rpcparse

import "github.com/nspiproxy/nspiproxy/rpcparse/nspi"

// SessionUse is an address book request that names a session by its first
// parameter, as all but NspiBind do (MS-NSPI 3.1.4).
type SessionUse struct {
	Handle   nspi.Handle
	Sealed   bool             // the handle cannot be read
	Security *SecurityContext // of the request
}

// useOf returns which session the first fragment of a request makes use of.
func useOf(p *PDU, s *SecurityContext) SessionUse {
	u, r := SessionUse{Security: s}, &p.Request
	if r.HasVerifier && r.Verifier.Level >= LevelPrivacy && !p.Opened {
		u.Sealed = true
	} else if len(r.Stub) >= nspi.HandleSize {
		u.Handle = nspi.ReadHandle(r.Stub, r.Order())
	}
	return u
}
