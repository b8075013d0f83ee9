package rpcparse

import (
	"fmt"

	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/ntlm"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/spnego"
)

// MaxSecurityContexts is how many security contexts one connection may have.
// It is above what servers allow, for they are to say no first: 2048 in Windows
// (MS-RPCE appendix A <104>), 2049 in Samba.
const MaxSecurityContexts = 2304

// Mechanism is the security mechanism behind a security context.
type Mechanism uint8

// The mechanisms that can be told apart.
const (
	MechanismUnknown Mechanism = iota
	MechanismNTLM
	MechanismKerberos
)

// String returns "ntlm", "kerberos" or "unknown".
func (m Mechanism) String() string {
	switch m {
	case MechanismNTLM:
		return "ntlm"
	case MechanismKerberos:
		return "kerberos"
	}
	return "unknown"
}

type securityState uint8

const (
	securityNegotiating securityState = iota
	securityClaimed                   // the client sent its last token; the server has not said yes
	securityAccepted
)

// SecurityContext is the result of one authentication exchange on one
// connection (MS-RPCE 3.3.1.5.2.1), as far as it can be seen without keys.
type SecurityContext struct {
	ID          uint32    // auth_context_id
	Type        AuthType  // of the first leg
	Level       AuthLevel // of the first leg; CALL is kept as PACKET, as servers do
	Mechanism   Mechanism
	Anonymous   bool   // NTLM: the client logs on as nobody
	Domain      string // NTLM: as claimed by the client, unescaped
	User        string // NTLM: as claimed by the client, unescaped
	Workstation string // NTLM: as claimed by the client, unescaped

	// Handshake followed its tokens; nil without keys.
	Handshake Handshake

	state     securityState
	contested bool // a handshake PDU for it was not understood
}

// Accepted reports whether the server has accepted the context, and with it the user.
func (s *SecurityContext) Accepted() bool { return s != nil && s.state == securityAccepted }

// HasUser reports whether the context names a user, accepted or not.
func (s *SecurityContext) HasUser() bool {
	return s != nil && s.Mechanism == MechanismNTLM && !s.Anonymous && s.User != ""
}

// Account returns DOMAIN\user, or the user alone when no domain was given.
func (s *SecurityContext) Account() string {
	if s.Domain == "" {
		return s.User
	}
	return s.Domain + `\` + s.User
}

// String prints the context for people, names quoted.
func (s *SecurityContext) String() string {
	switch {
	case s == nil:
		return "unauthenticated"
	case s.Anonymous:
		return fmt.Sprintf("anonymous %v level=%v", s.Mechanism, s.Level)
	case s.HasUser():
		return fmt.Sprintf("user=%q %v level=%v", s.Account(), s.Mechanism, s.Level)
	}
	return fmt.Sprintf("%v level=%v", s.Mechanism, s.Level)
}

// normalLevel applies the equalities of MS-RPCE 2.2.1.1.8: 0 means connect,
// and call is handled as packet.
func normalLevel(l AuthLevel) AuthLevel {
	switch l {
	case 0:
		return LevelConnect
	case LevelCall:
		return LevelPacket
	}
	return l
}

func normalType(t AuthType) AuthType {
	if t == AuthDefault {
		return AuthNTLM
	}
	return t
}

// contest marks the contexts of which the server may know better who they are.
func (c *Conversation) contest(which func(*SecurityContext) bool) {
	for _, s := range c.security {
		s.contested = s.contested || which(s)
	}
}

func (c *Conversation) securityByID(id uint32) *SecurityContext {
	for _, s := range c.security {
		if s.ID == id {
			return s
		}
	}
	return nil
}

// clientLeg follows a token from the client. Errors are about the trailer, never
// about the token: the server judges that, and an unreadable one leaves the
// context without a user.
func (c *Conversation) clientLeg(v *Verifier, out []Event) (*SecurityContext, []Event, error) {
	s := c.securityByID(v.ContextID)
	if s == nil {
		if len(c.security) >= MaxSecurityContexts {
			return nil, out, Errorf(ClassLimit, "security_contexts", v.Offset,
				"more than %d security contexts on one connection", MaxSecurityContexts)
		}
		s = &SecurityContext{ID: v.ContextID, Type: normalType(v.Type), Level: normalLevel(v.Level)}
		if c.opts.NewHandshake != nil {
			s.Handshake = c.opts.NewHandshake()
		}
		c.security = append(c.security, s)
	}
	if err := s.check(v); err != nil {
		return nil, out, err
	}
	if s.state == securityAccepted || (s.state == securityClaimed && s.Mechanism == MechanismNTLM) {
		return nil, out, Errorf(ClassState, "authenticated_twice", v.Offset,
			"a token for security context %d, whose handshake is over", s.ID)
	}
	if s.Handshake != nil {
		s.Handshake.FromClient(v.Token)
	}
	if s.readToken(v.Token) {
		out = append(out, Event{Kind: EventUserClaimed, Security: s})
	}
	return s, out, nil
}

// check demands that every trailer of a context repeats its type and level
// (MS-RPCE 2.2.2.11).
func (s *SecurityContext) check(v *Verifier) error {
	if t := normalType(v.Type); t != s.Type {
		return Errorf(ClassAuth, "auth_type", v.Offset, "%v on security context %d, which is %v", t, s.ID, s.Type)
	}
	if l := normalLevel(v.Level); l != s.Level {
		return Errorf(ClassAuth, "auth_level", v.Offset, "%v on security context %d, which is %v", l, s.ID, s.Level)
	}
	return nil
}

// tagAPReq begins a Kerberos AP-REQ (RFC 4120 5.5.1).
const tagAPReq = 0x6e

// readToken reports whether the token names a user or is an anonymous logon.
func (s *SecurityContext) readToken(token []byte) bool {
	mech, inner, ok := spnego.Unwrap(token)
	if !ok {
		return false
	}
	switch mech {
	case spnego.MechKerberos:
		s.Mechanism = MechanismKerberos
		if inner[0] == tagAPReq {
			s.state = securityClaimed // the server's first answer says whether it took the ticket
		}
	case spnego.MechNTLM:
		s.Mechanism = MechanismNTLM
		a, err := ntlm.ParseAuthenticate(inner)
		if err != nil {
			return false
		}
		s.Domain, s.User, s.Workstation, s.Anonymous = a.Domain, a.User, a.Workstation, a.Anonymous
		s.state = securityClaimed
		return true
	}
	return false
}

// serverLeg follows the answer to a handshake PDU that carried a token of s.
// An alter_context_resp to the last token is the server's yes; under SPNEGO it
// must say accept-completed.
func (c *Conversation) serverLeg(s *SecurityContext, token []byte, answer PType, out []Event) []Event {
	if s == nil || s.state == securityAccepted {
		return out
	}
	if s.Handshake != nil && len(token) > 0 {
		s.Handshake.FromServer(token)
	}
	t, err := spnego.Parse(token)
	switch {
	case err == nil && t.HasState && t.State == spnego.StateAcceptCompleted:
	case err != nil && answer == PTypeAlterContextResp && s.state == securityClaimed:
	default:
		return out
	}
	s.state = securityAccepted
	return append(out, Event{Kind: EventAuthenticated, Security: s})
}

// securityOf returns the context that a request is made under: the one that
// its trailer names, or the one that a server takes for a request without a
// trailer (MS-RPCE 3.3.1.5.4). certain is false where several could be meant;
// then an answer proves nothing about any of them.
func (c *Conversation) securityOf(r *Request) (s *SecurityContext, certain bool, err error) {
	if r.HasVerifier {
		s = c.securityByID(r.Verifier.ContextID)
		if s == nil {
			return nil, false, nil
		}
		return s, true, s.check(&r.Verifier)
	}
	for _, k := range c.security {
		if k.Level > LevelConnect {
			continue
		}
		if len(c.security) == 1 {
			return k, true, nil
		}
		if k.Accepted() {
			return k, false, nil
		}
	}
	return nil, false, nil
}
