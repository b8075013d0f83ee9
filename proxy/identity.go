package proxy

import (
	"net/netip"

	"github.com/nspiproxy/nspiproxy/policy"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx"
	"github.com/nspiproxy/nspiproxy/session"
)

// identityOf names the user of a call as far as it is known: the SID of a
// ticket, the NTLM account, or else the client's address. proven says that
// nothing about it is a mere claim of the client.
func identityOf(s *rpcparse.SecurityContext, client netip.Addr) (id session.Identity, proven bool) {
	if t, ok := ticketOf(s); ok {
		return session.Identity{Assurance: session.AssuranceVerified, SID: t.SID, Account: t.Account, Address: client}, s.Accepted()
	}
	if s.HasUser() {
		return session.Identity{Assurance: session.AssuranceClaimed, Account: s.Account(), Address: client}, s.Accepted()
	}
	return session.Identity{Assurance: session.AssuranceAddress, Address: client}, true
}

// ticketOf returns what the verified ticket of a security context says.
func ticketOf(s *rpcparse.SecurityContext) (*secctx.Identity, bool) {
	if s == nil {
		return nil, false
	}
	h, ok := s.Handshake.(*secctx.Handshake)
	if !ok {
		return nil, false
	}
	return h.Identity()
}

func subjectOf(id session.Identity, client netip.Addr, backend string) policy.Subject {
	return policy.Subject{SID: id.SID, Account: id.Account, Client: client, Backend: backend}
}
