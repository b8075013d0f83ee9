package client

import (
	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/spnego"
)

// leg says how a token travels.
type leg uint8

const (
	legNone leg = iota // there is none
	legAlterContext
	legAuth3
)

// otherMech is a mechanism that no server has: 1.2.3.
const otherMech spnego.OID = "\x2a\x03"

func (s *Security) spnego() bool { return s.Type == rpcparse.AuthSPNEGO && !s.BareInSPNEGO }

// first returns the first token.
func (s *Security) first() ([]byte, error) {
	if s.Level == rpcparse.LevelDefault {
		s.Level = rpcparse.LevelConnect
	}
	var own rpcparse.AuthType
	if s.mech, own = s.mechanism(); s.Type == rpcparse.AuthNone {
		s.Type = own
	}
	token, err := s.mech.first()
	if err != nil || !s.spnego() {
		return token, err
	}
	t := spnego.Token{MechTypes: []spnego.OID{s.mech.oid()}, MechToken: token}
	if s.OtherFirst {
		t = spnego.Token{MechTypes: []spnego.OID{otherMech, s.mech.oid()}, MechToken: []byte("no token of ours")}
	}
	s.mechTypes = spnego.AppendMechTypes(nil, t.MechTypes)
	return spnego.AppendInit(nil, t), nil
}

// next takes the server's answer and returns the token that follows.
func (s *Security) next(answer []byte) (token []byte, how leg, err error) {
	switch {
	case s.spnego():
		return s.nextSPNEGO(answer)
	case s.done: // an alter_context_resp, whose token is empty
		return nil, legNone, nil
	}
	how = legAuth3
	if s.Ticket != nil {
		how = legAlterContext // an even number of legs (MS-RPCE 2.2.1.1.7)
	}
	token, err = s.last(answer)
	return token, how, err
}

// last answers the server's message of the mechanism.
func (s *Security) last(answer []byte) (token []byte, err error) {
	token, s.send, s.receive, err = s.mech.last(answer)
	s.done = err == nil
	return token, err
}

func (s *Security) nextSPNEGO(answer []byte) (token []byte, how leg, err error) {
	t, err := spnego.Parse(answer)
	if err != nil {
		return nil, legNone, err
	}
	if t.Init || t.HasState && t.State == spnego.StateReject {
		return nil, legNone, protocolf("SPNEGO ended in state %v", t.State)
	}
	if t.SupportedMech != "" && t.SupportedMech.Mech() != s.mech.oid().Mech() {
		return nil, legNone, protocolf("SPNEGO chose mechanism %v, which was not offered", t.SupportedMech)
	}
	if s.done {
		return nil, legNone, s.complete(t)
	}
	reply := spnego.Token{}
	if len(t.MechToken) == 0 { // the server did not take what was tried first
		reply.MechToken, err = s.mech.first()
	} else if reply.MechToken, err = s.last(t.MechToken); err == nil && s.signs() {
		reply.ListMIC, err = s.send.listMIC(s.mechTypes)
	}
	return spnego.AppendResp(nil, reply), legAlterContext, err
}

// signs reports whether the mechanism list is signed. At level connect no
// signatures are asked for.
func (s *Security) signs() bool { return s.send != nil && !s.NoListMIC && s.protects() }

// complete checks the server's last token of a SPNEGO handshake.
func (s *Security) complete(t spnego.Token) error {
	if !t.HasState || t.State != spnego.StateAcceptCompleted {
		return protocolf("SPNEGO ended in state %v", t.State)
	}
	if t.ListMIC == nil || s.receive == nil {
		return nil
	}
	return s.receive.verifyListMIC(s.mechTypes, t.ListMIC)
}
