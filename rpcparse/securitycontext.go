package rpcparse

import (
	"fmt"

	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/ntlm"
)

// Mechanism is the security mechanism behind a security context.
type Mechanism uint8

// The mechanisms that can be distinguished.
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

// Presented says what a client has presented last in a security context. Only
// that counts: a server that accepts the context has accepted that, or nothing
// that is known.
type Presented uint8

// What a client can present.
const (
	PresentedNothing     Presented = iota // no user: the exchange has begun, or the server refused what was presented
	PresentedAnonymous                    // NTLM: an anonymous logon
	PresentedName                         // NTLM: Domain and User
	PresentedTicket                       // Kerberos: whose it is, a Follower with keys may know
	PresentedMalformed                    // a token that cannot be read, which the server may have read
	PresentedUnsupported                  // a token of another mechanism, which the server may have
)

// Unread reports whether the client has presented something that could not be
// read, so that the server may know who it is.
func (p Presented) Unread() bool { return p == PresentedMalformed || p == PresentedUnsupported }

type securityState uint8

const (
	securityNegotiating securityState = iota
	securityClaimed                   // the client has presented something; the server has not accepted it yet
	securityAccepted
	securityRefused // and forgotten
)

// SecurityContext is the result of one authentication exchange on one
// connection (MS-RPCE 3.3.1.5.2.1), as far as it can be seen without keys.
type SecurityContext struct {
	ID          uint32    // auth_context_id
	Type        AuthType  // of the first leg
	Level       AuthLevel // of the first leg; CALL is kept as PACKET, as servers do
	Mechanism   Mechanism // of the token seen last
	Presented   Presented
	Domain      string // with PresentedName: as claimed by the client, unescaped
	User        string // with PresentedName: as claimed by the client, unescaped
	Workstation string // NTLM: as claimed by the client, unescaped

	// Server is what the server calls itself and its domain, in NTLM's CHALLENGE;
	// nil before.
	Server *ntlm.Target

	// Follower is what [ConversationOptions.NewFollower] returned for the context,
	// or nil. It may be replaced.
	Follower TokenFollower

	state securityState
	// claims counts what the client has presented. A call remembers the count,
	// because its answer shows that the server accepted what was presented before
	// the request, not what was presented after it.
	claims    uint32
	byBind    bool // begun by the bind
	midStream bool // earlier tokens may have been missed
	completed bool // the server has said that the exchange is over
	// contested says that a handshake PDU for the context was not understood, so
	// that the server may know it under another user.
	contested bool
	begun     *[]byte // the beginning of a client's token that goes on in its next PDU; nil: none
}

// Accepted reports whether the server has accepted the context, and with it the user.
func (s *SecurityContext) Accepted() bool { return s != nil && s.state == securityAccepted }

// Settled reports whether the client can present no other user any more. A
// ticket may be one offer of several until the server has accepted it (RFC 4178
// 3.2).
func (s *SecurityContext) Settled() bool {
	return s.Accepted() || (s != nil && s.state == securityClaimed && s.Mechanism == MechanismNTLM)
}

// Refused reports whether the server refused to begin the context, so that the
// connection has forgotten it.
func (s *SecurityContext) Refused() bool { return s != nil && s.state == securityRefused }

// HasUser reports whether the context names a user, accepted or not.
func (s *SecurityContext) HasUser() bool {
	return s != nil && s.Presented == PresentedName && s.User != ""
}

// Anonymous reports whether the client logs on anonymously.
func (s *SecurityContext) Anonymous() bool { return s != nil && s.Presented == PresentedAnonymous }

// Account returns DOMAIN\user, or the user alone when no domain was given. It
// is for people: a backslash in it may be part of a name.
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
	case s.Anonymous():
		return fmt.Sprintf("anonymous %v level=%v", s.Mechanism, s.Level)
	case s.HasUser():
		return fmt.Sprintf("user=%q %v level=%v", s.Account(), s.Mechanism, s.Level)
	}
	return fmt.Sprintf("%v level=%v", s.Mechanism, s.Level)
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
