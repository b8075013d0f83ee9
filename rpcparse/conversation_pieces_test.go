package rpcparse

import (
	"testing"

	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/spnego"
)

// spnegoLegs are the tokens of a client that logs on as alice with NTLM in SPNEGO,
// and what the server answers.
func spnegoLegs() (first, challenge, last []byte) {
	return spnego.AppendInit(nil, spnego.Token{MechTypes: []spnego.OID{spnego.OIDNTLM}, MechToken: negotiateToken}),
		spnego.AppendResp(nil, spnego.Token{HasState: true, State: spnego.StateAcceptIncomplete, MechToken: challengeToken}),
		spnego.AppendResp(nil, spnego.Token{MechToken: authenticateToken("LAB", "alice")})
}

// recordingFollower keeps the client's tokens.
type recordingFollower struct {
	refusedFollower
	tokens []string
}

func (f *recordingFollower) FromClient(token []byte) { f.tokens = append(f.tokens, string(token)) }

// Samba joins the pieces of a token of SPNEGO: who sends it so is the same user.
func TestTokenInSeveralPiecesIsReadWhole(t *testing.T) {
	first, challenge, last := spnegoLegs()
	leg := func(token []byte) *Verifier {
		return &Verifier{Type: AuthSPNEGO, Level: LevelConnect, ContextID: 7, Token: token}
	}
	alter := func(callID uint32, token []byte) []byte {
		return must(t)(AppendBind(nil, Bind{Header: whole(PTypeAlterContext, callID), HasVerifier: true, Verifier: *leg(token)}))
	}
	for _, cut := range []int{4, 9, len(first) - 1} {
		f := &recordingFollower{}
		s := newScript(t)
		s.c.opts.NewFollower = func(*SecurityContext) TokenFollower { return f }
		s.client(s.bindPDU(leg(first[:cut])))
		s.server(s.ackPDU(PTypeBindAck, 1, nil, acceptNDR, acceptNDR64, acceptNDR, acceptNDR))
		s.client(alter(2, first[cut:])).server(s.ackPDU(PTypeAlterContextResp, 2, leg(challenge)))
		s.client(alter(3, last[:cut])).server(s.ackPDU(PTypeAlterContextResp, 3, nil))
		c := s.c.security[0]
		if c.Accepted() || c.Presented != PresentedNothing {
			t.Errorf("cut at %d: %v before the last piece", cut, c)
		}
		s.client(alter(4, last[cut:]))
		s.server(s.ackPDU(PTypeAlterContextResp, 4, leg(spnego.AppendResp(nil, spnego.Token{HasState: true, State: spnego.StateAcceptCompleted}))))
		s.wantNoError()
		if !c.Accepted() || c.Domain != "LAB" || c.User != "alice" {
			t.Errorf("cut at %d: %v", cut, c)
		}
		if len(f.tokens) != 2 || f.tokens[0] != string(first) || f.tokens[1] != string(last) {
			t.Errorf("cut at %d: %q", cut, f.tokens)
		}
	}
}

// Tokens that can never be whole are not waited for.
func TestTokenThatAnnouncesTooMuchIsUnread(t *testing.T) {
	for name, token := range map[string][]byte{
		"more than Samba takes":        {0x60, 0x83, 1, 0, 0, 6},
		"in a form that is not joined": {0x60, 0x85, 0, 0, 0, 1, 0, 6},
	} {
		s := newScript(t)
		s.client(s.bindPDU(&Verifier{Type: AuthSPNEGO, Level: LevelConnect, ContextID: 7, Token: token}))
		s.wantNoError()
		if c := s.c.security[0]; c.Presented != PresentedMalformed {
			t.Errorf("%s: %v", name, c.Presented)
		}
	}
}

// A connection may have thousands of contexts: the beginnings of all their tokens are no more than one token.
func TestBeginningsOfTokensAreBoundedInAll(t *testing.T) {
	s := newScript(t)
	piece := make([]byte, 4000)
	copy(piece, []byte{0x60, 0x82, 0xf0, 0})
	leg := func(id uint32) *Verifier {
		return &Verifier{Type: AuthSPNEGO, Level: LevelConnect, ContextID: id, Token: piece}
	}
	s.client(s.bindPDU(leg(0)))
	s.server(s.ackPDU(PTypeBindAck, 1, nil, acceptNDR, acceptNDR64, acceptNDR, acceptNDR))
	for n := range uint32(40) {
		s.client(must(t)(AppendBind(nil, Bind{Header: whole(PTypeAlterContext, n+2), HasVerifier: true, Verifier: *leg(n + 1)})))
		s.server(s.ackPDU(PTypeAlterContextResp, n+2, nil))
	}
	s.wantNoError()
	if n := s.c.security.begun(); n > maxJoined || n < maxJoined-len(piece) {
		t.Errorf("%d bytes are kept", n)
	}
}
