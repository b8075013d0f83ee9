package rpcparse

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/ntlm"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/spnego"
)

// clientToken follows a token of the client. Errors are about the trailer, never
// about the token: the server judges that, and an unreadable one leaves the
// context without a known user. kept is how many bytes the connection keeps of
// tokens that have begun.
func (s *SecurityContext) clientToken(v *Verifier, kept int, out []Event) ([]Event, error) {
	if err := s.check(v); err != nil {
		return out, err
	}
	token, whole := s.joined(v, kept)
	if !whole && !s.completed {
		return out, nil
	}
	if s.clientIsDone(token) {
		return out, Errorf(ClassState, "authenticated_twice", v.Offset,
			"a token for security context %d, whose handshake is over", s.ID)
	}
	if s.Follower != nil {
		s.Follower.FromClient(token)
	}
	before := s.claims
	s.readClient(token)
	if s.claims != before && (s.Presented == PresentedName || s.Presented == PresentedAnonymous) {
		out = append(out, Event{Kind: EventUserClaimed, Security: s})
	}
	return out, nil
}

// maxJoined is how many bytes a token has that comes in several PDUs. Samba takes
// as many (UINT16_MAX in its gensec/spnego.c). All contexts of a connection
// together keep no more.
const maxJoined = 65535

// joined returns the token of a PDU behind the beginning of it that came before:
// a token of SPNEGO that announces more bytes than it has goes on in the next one,
// as it does for Samba. whole is false as long as bytes are missing: nothing of it
// has been read then.
func (s *SecurityContext) joined(v *Verifier, kept int) (token []byte, whole bool) {
	token = v.Token
	begun := s.begun
	s.begun = nil
	if begun != nil {
		*begun = append(*begun, token...)
		token = *begun
	}
	missing := spnego.Missing(token)
	if s.Type != AuthSPNEGO || missing == 0 || len(token)+missing > maxJoined || kept+len(v.Token) > maxJoined {
		return token, true
	}
	if begun == nil {
		begun = new([]byte)
		*begun = append(*begun, token...)
	}
	s.begun = begun
	return token, false
}

// clientIsDone reports whether the client has sent its last token before this
// one. Behind NTLM's AUTHENTICATE only a signature of SPNEGO may follow, and
// behind a call that was carried out only the last leg of Kerberos: a server may
// carry one out before it, as an anonymous one.
func (s *SecurityContext) clientIsDone(token []byte) bool {
	switch {
	case s.completed:
		return true
	case s.Mechanism == MechanismNTLM && s.state >= securityClaimed:
		return !isListMICAlone(token)
	case s.state == securityAccepted:
		return s.Presented != PresentedTicket || !isThirdLeg(token)
	}
	return false
}

// isThirdLeg reports whether a client's token is an AP-REP, which ends a
// handshake of Kerberos in DCE style.
func isThirdLeg(token []byte) bool {
	mech, inner, ok := spnego.Unwrap(token)
	return ok && mech == spnego.MechKerberos && inner[0] == tagAPRep
}

// isListMICAlone reports whether a token is the client's last leg of SPNEGO, which
// signs the list of mechanisms and says nothing else (RFC 4178 5).
func isListMICAlone(token []byte) bool {
	t, err := spnego.Parse(token)
	return err == nil && !t.Init && len(t.MechToken) == 0 && len(t.ListMIC) > 0
}

// The first octets of Kerberos messages (RFC 4120 5.5, 5.9.1).
const (
	tagAPReq    = 0x6e
	tagAPRep    = 0x6f
	tagKRBError = 0x7e
)

// readClient reads what a token presents. A leg that cannot be read leaves
// nothing of what was presented before: the server may have read it.
func (s *SecurityContext) readClient(token []byte) {
	if s.Type == AuthNetlogon { // its tokens look like nothing else (MS-NRPC 2.2.1.3.1)
		s.present(PresentedUnsupported)
		return
	}
	mech, inner, ok := spnego.Unwrap(token)
	if !ok {
		s.readWithoutMessage(token)
		return
	}
	switch mech {
	case spnego.MechKerberos:
		s.Mechanism = MechanismKerberos
		switch {
		case inner[0] == tagAPReq:
			s.present(PresentedTicket)
		case inner[0] != tagAPRep || s.Presented != PresentedTicket:
			s.present(PresentedMalformed)
		}
	case spnego.MechNTLM:
		s.Mechanism = MechanismNTLM
		s.readNTLM(inner)
	}
}

// readWithoutMessage is readClient for a token that holds no message of NTLM or
// Kerberos.
func (s *SecurityContext) readWithoutMessage(token []byte) {
	t, err := spnego.Parse(token)
	switch {
	case err != nil:
		s.Mechanism = MechanismUnknown
		s.present(PresentedMalformed)
	case len(t.MechToken) > 0:
		s.Mechanism = MechanismUnknown
		s.present(PresentedUnsupported)
	case t.Init:
		s.present(PresentedNothing)
	}
}

// readNTLM is readClient for an NTLM message.
func (s *SecurityContext) readNTLM(message []byte) {
	t, _ := ntlm.Type(message)
	switch {
	case t == ntlm.TypeNegotiate:
		s.Server = nil
		s.present(PresentedNothing)
		return
	case t != ntlm.TypeAuthenticate, s.Server == nil && !s.midStream:
		s.present(PresentedMalformed) // no server can accept it
		return
	}
	negotiated := ntlm.Flags(0)
	if s.Server != nil {
		negotiated = s.Server.Flags
	}
	a, err := ntlm.ParseAuthenticate(message, negotiated)
	switch {
	case err != nil:
		s.present(PresentedMalformed)
	case a.Anonymous:
		s.present(PresentedAnonymous)
	case a.User == "":
		s.present(PresentedMalformed) // no name, but a proof of one
	default:
		s.present(PresentedName)
	}
	s.Domain, s.User, s.Workstation = clip(a.Domain), clip(a.User), clip(a.Workstation)
}

// present notes what the client has presented, in place of anything before. A
// context that is contested stays so.
func (s *SecurityContext) present(p Presented) {
	if s.contested {
		p = PresentedMalformed
	}
	s.Presented, s.Domain, s.User, s.Workstation = p, "", "", ""
	s.claims++
	s.state = securityClaimed
	if p == PresentedNothing {
		s.state = securityNegotiating
	}
}

// maxName is how many bytes of a claimed name are kept. Names of accounts are
// shorter.
const maxName = 256

// clip cuts a name that no account has. The ellipsis keeps it different from
// all that exist. Spaces and invisible characters, with which servers may find an
// account all the same, do not make a name long.
func clip(name string) string {
	if len(name) <= maxName {
		return name
	}
	name = strings.Join(strings.Fields(strings.Map(visible, name)), " ")
	if len(name) <= maxName {
		return name
	}
	end := maxName
	for !utf8.RuneStart(name[end]) {
		end--
	}
	return name[:end] + "\u2026"
}

// visible drops a character that counts for nothing where names are compared: marks,
// controls, what has no width, and what is no character.
func visible(r rune) rune {
	switch {
	case unicode.IsSpace(r):
		return r
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Other_Default_Ignorable_Code_Point),
		!unicode.In(r, unicode.L, unicode.M, unicode.N, unicode.P, unicode.S, unicode.Z, unicode.Co):
		return -1
	}
	return r
}
