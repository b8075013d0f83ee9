package client

import (
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/krb5"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/ntlm"
)

// Security is one security context of one connection. Set its exported fields,
// then give it to Bind or AlterContext, once. With a Ticket it is Kerberos, else
// NTLM; an empty User is anonymous then.
type Security struct {
	Type  rpcparse.AuthType  // default: the mechanism's own; or SPNEGO
	Level rpcparse.AuthLevel // default: CONNECT
	ID    uint32             // auth_context_id

	Domain, User, Password string
	Target                 string // service principal name to tell an NTLM server, or ""

	Ticket *krb5.Ticket // for the service; the session key in it is not changed

	OtherFirst     bool // SPNEGO: prefer a mechanism that the server does not have
	BareInSPNEGO   bool // SPNEGO: the mechanism's messages without the envelope, as old clients send
	NoListMIC      bool // SPNEGO: send no mechListMIC
	NoMIC          bool // NTLM: send no MIC in the AUTHENTICATE, as old clients
	DummyVerifiers bool // level CONNECT: a dummy verifier on every request

	mech          mechanism
	mechTypes     []byte // SPNEGO: what was offered
	done          bool   // the mechanism has sent its last message
	send, receive protector
}

// protector is one direction of an established security context.
type protector interface {
	Protect(pdu []byte, body, trailer int, seal bool) error
	Unprotect(pdu []byte, body, trailer int, seal bool) error
	tokenSize(seal bool) int
	setHeaderSigning(on bool)
	listMIC(mechTypes []byte) ([]byte, error)
	verifyListMIC(mechTypes, mic []byte) error
}

// protects reports whether PDUs carry signatures.
func (s *Security) protects() bool { return s != nil && s.Level > rpcparse.LevelConnect }

// verifier is the trailer of a PDU with this token.
func (s *Security) verifier(token []byte) rpcparse.Verifier {
	return rpcparse.Verifier{Type: s.Type, Level: s.Level, ContextID: s.ID, Token: token}
}

// tokenSize returns the size of the token on a request; 0: it has no trailer.
func (s *Security) tokenSize() int {
	switch {
	case s == nil:
		return 0
	case s.protects() && s.send != nil:
		return s.send.tokenSize(s.Level == rpcparse.LevelPrivacy)
	case s.protects() || s.DummyVerifiers:
		return ntlm.TokenSize
	}
	return 0
}

// protect makes one fragment of a request.
func (s *Security) protect(x rpcparse.Request) ([]byte, error) {
	if !x.HasVerifier {
		return rpcparse.AppendRequest(nil, x)
	}
	x.Verifier.PadLength = rpcparse.PadTo(len(x.Stub), authPadding)
	copy(x.Verifier.Token, ntlm.DummyToken[:])
	pdu, err := rpcparse.AppendRequest(nil, x)
	if err != nil || !s.protects() {
		return pdu, err
	}
	if s.send == nil {
		return nil, rpcparse.Errorf(rpcparse.ClassState, "auth_level", 0, "an anonymous context protects nothing")
	}
	parsed, err := rpcparse.ParseRequest(pdu)
	if err != nil {
		return nil, err
	}
	return pdu, s.send.Protect(pdu, parsed.StubOffset, parsed.Verifier.Offset, s.Level == rpcparse.LevelPrivacy)
}

func (s *Security) setHeaderSigning(on bool) {
	if s.send != nil {
		s.send.setHeaderSigning(on)
		s.receive.setHeaderSigning(on)
	}
}
