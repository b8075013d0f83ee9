package client

import (
	"errors"

	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/ntlm"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/spnego"
)

// Security is one security context of one connection. Set its exported fields,
// then give it to Bind or AlterContext, once. An empty User is anonymous.
type Security struct {
	Type  rpcparse.AuthType  // default: NTLM; or SPNEGO
	Level rpcparse.AuthLevel // default: CONNECT
	ID    uint32             // auth_context_id

	Domain, User, Password string

	OtherFirst     bool // SPNEGO: prefer a mechanism that the server does not have
	BareInSPNEGO   bool // SPNEGO: NTLM messages without the envelope, as old clients send
	NoListMIC      bool // SPNEGO: send no mechListMIC
	NoMIC          bool // send no MIC in the AUTHENTICATE, as old clients
	DummyVerifiers bool // level CONNECT: a dummy verifier on every request

	initiator ntlm.Initiator
	session   *ntlm.Session
	mechTypes []byte
	done      bool
}

// leg says how a token travels.
type leg uint8

const (
	legNone leg = iota // there is none
	legAlterContext
	legAuth3
)

// otherMech is a mechanism that nobody has: 1.2.3.
const otherMech spnego.OID = "\x2a\x03"

func (s *Security) spnego() bool { return s.Type == rpcparse.AuthSPNEGO && !s.BareInSPNEGO }

// protects reports whether PDUs carry signatures.
func (s *Security) protects() bool { return s.Level > rpcparse.LevelConnect }

// first returns the first token.
func (s *Security) first() ([]byte, error) {
	if s.Type == rpcparse.AuthNone {
		s.Type = rpcparse.AuthNTLM
	}
	if s.Level == rpcparse.LevelDefault {
		s.Level = rpcparse.LevelConnect
	}
	s.initiator = ntlm.Initiator{Domain: s.Domain, User: s.User, Password: s.Password, Workstation: "CLIENT", NoMIC: s.NoMIC}
	negotiate, err := s.initiator.Negotiate()
	if err != nil || !s.spnego() {
		return negotiate, err
	}
	t := spnego.Token{MechTypes: []spnego.OID{spnego.OIDNTLM}, MechToken: negotiate}
	if s.OtherFirst {
		t = spnego.Token{MechTypes: []spnego.OID{otherMech, spnego.OIDNTLM}, MechToken: []byte("no token of ours")}
	}
	s.mechTypes = spnego.AppendMechTypes(nil, t.MechTypes)
	return spnego.AppendInit(nil, t), nil
}

// next takes the server's answer and returns the token that follows.
func (s *Security) next(answer []byte) (token []byte, how leg, err error) {
	if s.done {
		return nil, legNone, s.verifyListMIC(answer)
	}
	if !s.spnego() {
		token, err = s.authenticate(answer)
		return token, legAuth3, err
	}
	t, err := spnego.Parse(answer)
	if err != nil {
		return nil, legNone, err
	}
	reply := spnego.Token{}
	if len(t.MechToken) == 0 { // the server chose NTLM over what was tried first
		reply.MechToken, err = s.initiator.Negotiate()
	} else {
		if reply.MechToken, err = s.authenticate(t.MechToken); err == nil && s.session != nil && !s.NoListMIC {
			mic := s.session.Send.ListMIC(s.mechTypes)
			reply.ListMIC = mic[:]
		}
	}
	return spnego.AppendResp(nil, reply), legAlterContext, err
}

// authenticate answers the CHALLENGE.
func (s *Security) authenticate(challenge []byte) ([]byte, error) {
	token, err := s.initiator.Authenticate(challenge)
	if err != nil {
		return nil, err
	}
	s.done = true
	if s.User != "" {
		s.session, err = s.initiator.Session()
	}
	return token, err
}

// verifyListMIC checks the server's last token of a SPNEGO handshake.
func (s *Security) verifyListMIC(answer []byte) error {
	t, err := spnego.Parse(answer)
	if err != nil {
		return err
	}
	if t.State != spnego.StateAcceptCompleted {
		return errors.New("client: SPNEGO ended in state " + t.State.String())
	}
	if t.ListMIC == nil || s.session == nil {
		return nil
	}
	return s.session.Receive.VerifyListMIC(s.mechTypes, t.ListMIC)
}

func (s *Security) verifier(token []byte) rpcparse.Verifier {
	return rpcparse.Verifier{Type: s.Type, Level: s.Level, ContextID: s.ID, Token: token}
}

// Session returns the NTLM session, for tests that break it; nil before the
// handshake and for anonymous contexts.
func (s *Security) Session() *ntlm.Session { return s.session }
