package rpcparse

import (
	"unicode/utf8"

	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/ntlm"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/spnego"
)

// clientToken follows a token of the client. Errors are about the trailer, never
// about the token: the server judges that, and an unreadable one leaves the
// context without a user.
func (s *SecurityContext) clientToken(v *Verifier, out []Event) ([]Event, error) {
	if err := s.check(v); err != nil {
		return out, err
	}
	if s.clientIsDone(v.Token) {
		return out, Errorf(ClassState, "authenticated_twice", v.Offset,
			"a token for security context %d, whose handshake is over", s.ID)
	}
	if s.Follower != nil {
		s.Follower.FromClient(v.Token)
	}
	if s.readToken(v.Token) {
		out = append(out, Event{Kind: EventUserClaimed, Security: s})
	}
	return out, nil
}

// clientIsDone reports whether the client has sent its last token before this
// one. Behind NTLM's AUTHENTICATE only a signature of SPNEGO may follow.
func (s *SecurityContext) clientIsDone(token []byte) bool {
	return s.state == securityAccepted ||
		(s.state == securityClaimed && s.Mechanism == MechanismNTLM && !isListMICAlone(token))
}

// isListMICAlone reports whether a token is the client's last leg of SPNEGO, which
// signs the list of mechanisms and says nothing else (RFC 4178 5).
func isListMICAlone(token []byte) bool {
	t, err := spnego.Parse(token)
	return err == nil && !t.Init && len(t.MechToken) == 0 && len(t.ListMIC) > 0
}

// tagAPReq begins a Kerberos AP-REQ (RFC 4120 5.5.1).
const tagAPReq = 0x6e

// readToken reads the user that a token presents, and reports whether it names
// one or is an anonymous logon.
func (s *SecurityContext) readToken(token []byte) (named bool) {
	mech, inner, ok := spnego.Unwrap(token)
	if !ok {
		return false
	}
	switch mech {
	case spnego.MechKerberos:
		s.Mechanism = MechanismKerberos
		if inner[0] == tagAPReq {
			s.claim() // the server's first answer says whether it took the ticket
		}
	case spnego.MechNTLM:
		if s.Mechanism == MechanismKerberos {
			s.state = securityNegotiating // the server chose NTLM over the ticket that was offered
		}
		s.Mechanism = MechanismNTLM
		return s.readNTLM(inner)
	}
	return false
}

// readNTLM is readToken for an NTLM message.
func (s *SecurityContext) readNTLM(message []byte) (named bool) {
	if t, _ := ntlm.Type(message); t != ntlm.TypeAuthenticate {
		return false
	}
	s.claim() // also when it cannot be read: a client sends one only
	a, err := ntlm.ParseAuthenticate(message)
	if err != nil {
		return false
	}
	s.Domain, s.User, s.Workstation, s.Anonymous = clip(a.Domain), clip(a.User), clip(a.Workstation), a.Anonymous
	return true
}

// claim notes that the client has presented a user.
func (s *SecurityContext) claim() {
	s.state = securityClaimed
	s.claims++
}

// maxName is how many bytes of a claimed name are kept. Names of accounts are
// shorter.
const maxName = 256

// clip cuts a name that no account has. The ellipsis keeps it different from
// all that exist.
func clip(name string) string {
	if len(name) <= maxName {
		return name
	}
	end := maxName
	for !utf8.RuneStart(name[end]) {
		end--
	}
	return name[:end] + "\u2026"
}
