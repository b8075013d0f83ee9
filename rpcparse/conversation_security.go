package rpcparse

import (
	"fmt"
	"slices"
	"unicode/utf8"

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
	securityRefused // and forgotten
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
	claim     uint32 // counts what the client said it is: an answer proves what was said before the request
	byBind    bool   // begun by the bind
	contested bool   // a handshake PDU for it was not understood
}

// Accepted reports whether the server has accepted the context, and with it the user.
func (s *SecurityContext) Accepted() bool { return s != nil && s.state == securityAccepted }

// Settled reports whether the client has said all about who it is. A ticket
// may be one offer of several until the server has accepted it (RFC 4178 3.2).
func (s *SecurityContext) Settled() bool {
	return s.Accepted() || (s != nil && s.state == securityClaimed && s.Mechanism == MechanismNTLM)
}

// Refused reports whether the server refused to begin the context, so that the
// connection has forgotten it.
func (s *SecurityContext) Refused() bool { return s != nil && s.state == securityRefused }

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

// securityFor returns the security context that a bind or alter_context names,
// and whether it begins with it.
func (c *Conversation) securityFor(b *Bind) (s *SecurityContext, begins bool, err error) {
	if s = c.securityByID(b.Verifier.ContextID); s != nil {
		return s, false, nil
	}
	if s, err = c.beginSecurity(&b.Verifier); err != nil {
		return nil, false, err
	}
	s.byBind = b.Type == PTypeBind
	return s, true, nil
}

func (c *Conversation) beginSecurity(v *Verifier) (*SecurityContext, error) {
	if len(c.security) >= MaxSecurityContexts {
		return nil, Errorf(ClassLimit, "security_contexts", v.Offset,
			"more than %d security contexts on one connection", MaxSecurityContexts)
	}
	s := &SecurityContext{ID: v.ContextID, Type: normalType(v.Type), Level: normalLevel(v.Level)}
	if c.opts.NewHandshake != nil {
		s.Handshake = c.opts.NewHandshake(s)
	}
	c.security = append(c.security, s)
	return s, nil
}

// refused forgets the security context that a handshake began in vain.
func (c *Conversation) refused(hs *handshake) {
	if hs.begins && hs.security != nil && !hs.security.Accepted() {
		c.forgetSecurity(func(s *SecurityContext) bool { return s == hs.security })
	}
}

func (c *Conversation) forgetSecurity(which func(*SecurityContext) bool) {
	c.security = slices.DeleteFunc(c.security, func(s *SecurityContext) bool {
		if !which(s) {
			return false
		}
		s.state = securityRefused
		if s.Handshake != nil {
			s.Handshake.Refused()
		}
		return true
	})
	if len(c.security) == 0 {
		c.security = nil
	}
}

// clientLeg follows a token from the client. Errors are about the trailer, never
// about the token: the server judges that, and an unreadable one leaves the
// context without a user.
func (c *Conversation) clientLeg(s *SecurityContext, v *Verifier, out []Event) ([]Event, error) {
	if err := s.check(v); err != nil {
		return out, err
	}
	over := s.state == securityAccepted || (s.state == securityClaimed && s.Mechanism == MechanismNTLM && !signsOnly(v.Token))
	if over {
		return out, Errorf(ClassState, "authenticated_twice", v.Offset,
			"a token for security context %d, whose handshake is over", s.ID)
	}
	if s.Handshake != nil {
		s.Handshake.FromClient(v.Token)
	}
	if s.readToken(v.Token) {
		out = append(out, Event{Kind: EventUserClaimed, Security: s})
	}
	return out, nil
}

// signsOnly reports whether a token is the client's last leg of SPNEGO, which
// signs the list of mechanisms and says nothing else (RFC 4178 5).
func signsOnly(token []byte) bool {
	t, err := spnego.Parse(token)
	return err == nil && !t.Init && len(t.MechToken) == 0 && len(t.ListMIC) > 0
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
			s.claimed() // the server's first answer says whether it took the ticket
		}
	case spnego.MechNTLM:
		if s.Mechanism == MechanismKerberos {
			s.state = securityNegotiating // the server chose NTLM over the ticket that was offered
		}
		s.Mechanism = MechanismNTLM
		if t, _ := ntlm.Type(inner); t != ntlm.TypeAuthenticate {
			return false
		}
		s.claimed() // also when it cannot be read: there is only one
		a, err := ntlm.ParseAuthenticate(inner)
		if err != nil {
			return false
		}
		s.Domain, s.User, s.Workstation, s.Anonymous = clip(a.Domain), clip(a.User), clip(a.Workstation), a.Anonymous
		return true
	}
	return false
}

func (s *SecurityContext) claimed() {
	s.state = securityClaimed
	s.claim++
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
	case err != nil && answer == PTypeAlterContextResp && s.state == securityClaimed && !goesOn(token):
	default:
		return out
	}
	s.state = securityAccepted
	return append(out, Event{Kind: EventAuthenticated, Security: s})
}

// goesOn reports whether a server's token is no end: an AP-REP in DCE style is
// answered, and a KRB-ERROR is a no, after which the client may try again.
func goesOn(token []byte) bool {
	mech, _, ok := spnego.Unwrap(token)
	return ok && mech == spnego.MechKerberos
}

// securityOf returns the context that a request is made under: the one that
// its trailer names, or the one that a server takes for a request without a
// trailer. certain is false where several could be meant; then an answer
// proves nothing about any of them.
func (c *Conversation) securityOf(r *Request) (s *SecurityContext, certain bool, err error) {
	if !r.HasVerifier {
		s, certain, _ = c.untrailed()
		return s, certain, nil
	}
	if s = c.securityByID(r.Verifier.ContextID); s == nil {
		return nil, false, nil
	}
	return s, true, s.check(&r.Verifier)
}

// untrailed returns the context that a server takes for a request without a
// trailer: the only one at level connect, with all servers if it is the bind's
// and there is no other at all (MS-RPCE 3.3.1.5.4). rivals reports that there
// are several at level connect: Windows demands a trailer then.
func (c *Conversation) untrailed() (s *SecurityContext, certain, rivals bool) {
	for _, k := range c.security {
		if k.Level > LevelConnect {
			continue
		}
		rivals = s != nil
		if rivals {
			break
		}
		s = k
	}
	if !rivals {
		return s, s != nil && len(c.security) == 1 && (s.byBind || c.opts.MidStream), false
	}
	for _, k := range c.security {
		if k.Level <= LevelConnect && k.Accepted() {
			return k, false, true
		}
	}
	return nil, false, true
}
