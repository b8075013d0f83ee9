package proxy

import (
	"net/netip"

	"github.com/nspiproxy/nspiproxy/policy"
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/session"
)

// identityOf names the user of a call as far as it is known: the NTLM account,
// or else the client's address. proven says that nothing about it is a mere
// claim of the client.
func identityOf(s *rpcparse.SecurityContext, client netip.Addr) (id session.Identity, proven bool) {
	if s.HasUser() {
		return session.Identity{Assurance: session.AssuranceClaimed, Account: s.Account(), Address: client}, s.Accepted()
	}
	return session.Identity{Assurance: session.AssuranceAddress, Address: client}, true
}

func subjectOf(id session.Identity, client netip.Addr, backend string) policy.Subject {
	return policy.Subject{SID: id.SID, Account: id.Account, Client: client, Backend: backend}
}
