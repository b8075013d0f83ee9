package rpcparse

import (
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/ntlm"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/spnego"
)

// answered follows the answer to a handshake PDU that carried a token of s, which
// may be nil. An alter_context_resp to the client's last token accepts the
// context; under SPNEGO the answer must say accept-completed.
func (s *SecurityContext) answered(b *pendingBind, token []byte, answer PType, out []Event) []Event {
	if s == nil || s.completed {
		return out
	}
	if s.Follower != nil {
		s.Follower.FromServer(token)
	}
	if s.refusedBy(token) {
		s.present(PresentedNothing)
		return out
	}
	s.readServer(token)
	if !s.completedBy(token, answer) {
		return out
	}
	if b.claim != s.claims {
		s.present(PresentedMalformed) // the server speaks of an earlier token than the last
	}
	s.completed = true
	if s.state == securityAccepted {
		return out
	}
	s.state = securityAccepted
	return append(out, Event{Kind: EventAuthenticated, Security: s})
}

// completedBy reports whether an answer of the server says that the exchange is
// over and has succeeded.
func (s *SecurityContext) completedBy(token []byte, answer PType) bool {
	if s.begun != nil {
		return false // it waits for the rest of the client's token
	}
	t, err := spnego.Parse(token)
	if err == nil {
		return t.HasState && t.State == spnego.StateAcceptCompleted
	}
	if p, ok := s.Follower.(Prover); ok && p.Proven() {
		return true
	}
	return answer == PTypeAlterContextResp && s.state >= securityClaimed && !isKerberos(token)
}

// refusedBy reports whether a token of the server refuses what the client has
// presented. The client may present something else, as after a clock that was
// wrong (MS-KILE 3.4.5).
func (s *SecurityContext) refusedBy(token []byte) bool {
	if t, err := spnego.Parse(token); err == nil && t.HasState && t.State == spnego.StateReject {
		return true
	}
	mech, inner, ok := spnego.Unwrap(token)
	return ok && mech == spnego.MechKerberos && inner[0] == tagKRBError
}

// readServer reads what the server calls itself.
func (s *SecurityContext) readServer(token []byte) {
	mech, inner, ok := spnego.Unwrap(token)
	if !ok || mech != spnego.MechNTLM {
		return
	}
	if t, _ := ntlm.Type(inner); t == ntlm.TypeChallenge {
		s.Server = ntlm.ReadTarget(inner)
	}
}

// rejected follows a fault or bind_nak to a handshake PDU of a context that goes
// on: what its token presented, as claim counts it, does not count. s may be nil.
func (s *SecurityContext) rejected(claim uint32) {
	if s == nil || s.completed || s.state == securityRefused {
		return
	}
	s.begun = nil
	if claim == s.claims {
		s.present(PresentedNothing)
	} else {
		s.present(PresentedMalformed) // which of the two the server has read is not known
	}
	if s.Follower != nil {
		s.Follower.Rejected()
	}
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
	if s == nil || s.contested || s.state != securityClaimed {
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
