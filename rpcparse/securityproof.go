package rpcparse

import "github.com/nspiproxy/nspiproxy/rpcparse/secctx/spnego"

// serverToken follows the answer to a handshake PDU that carried a token of s,
// which may be nil. An alter_context_resp to the client's last token accepts the
// context; under SPNEGO the answer must say accept-completed.
func (s *SecurityContext) serverToken(token []byte, answer PType, out []Event) []Event {
	if s == nil || s.state == securityAccepted {
		return out
	}
	if s.Follower != nil && len(token) > 0 {
		s.Follower.FromServer(token)
	}
	t, err := spnego.Parse(token)
	switch {
	case err == nil && t.HasState && t.State == spnego.StateAcceptCompleted:
	case err != nil && answer == PTypeAlterContextResp && s.state == securityClaimed && !isKerberos(token):
	default:
		return out
	}
	s.state = securityAccepted
	return append(out, Event{Kind: EventAuthenticated, Security: s})
}

// isKerberos reports whether a server's token is Kerberos's, so that the
// handshake is not over with it: the client answers an AP-REP in DCE style, and
// may try again after a KRB-ERROR.
func isKerberos(token []byte) bool {
	mech, _, ok := spnego.Unwrap(token)
	return ok && mech == spnego.MechKerberos
}

// provableClaim returns which claim of the client (see SecurityContext.claims)
// the answer to a call made now would prove; 0 if it would prove none.
func (s *SecurityContext) provableClaim() uint32 {
	if s == nil || s.userUnknown || s.state != securityClaimed {
		return 0
	}
	return s.claims
}

// accept notes that the server has carried out a call that was made under the
// claim, and with it accepted the user. Raw NTLM ends with an auth3, which has no
// answer of its own.
func (s *SecurityContext) accept(claim, callID uint32, out []Event) []Event {
	if claim == 0 || s.provableClaim() != claim {
		return out
	}
	s.state = securityAccepted
	return append(out, Event{Kind: EventAuthenticated, CallID: callID, Security: s})
}
