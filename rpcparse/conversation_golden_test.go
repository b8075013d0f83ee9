package rpcparse

import (
	"testing"

	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/spnego"
)

// recorded is one PDU of a whole conversation.
type recorded struct {
	dir Direction
	pdu []byte
}

// recording makes a conversation PDU by PDU.
type recording struct {
	*script
	pdus []recorded
}

func (r *recording) c(pdus ...[]byte) {
	for _, p := range pdus {
		r.pdus = append(r.pdus, recorded{ClientToServer, p})
	}
}

func (r *recording) s(pdus ...[]byte) {
	for _, p := range pdus {
		r.pdus = append(r.pdus, recorded{ServerToClient, p})
	}
}

// session adds an NspiBind, another call and an NspiUnbind with their answers.
func (r *recording) session(callID uint32, v *Verifier) {
	r.c(r.request(fragment{callID: callID, stub: bindStub(nspi.NDR), auth: v}))
	r.s(r.response(callID, 0, grantedStub(nspi.NDR), v))
	r.c(r.request(fragment{callID: callID + 1, opnum: 3, stub: unbindStub(), auth: v}))
	r.s(r.response(callID+1, FlagFirstFrag, make([]byte, 64), v), r.response(callID+1, 0x08, make([]byte, 64), v), r.response(callID+1, FlagLastFrag, make([]byte, 8), v))
	r.c(r.request(fragment{callID: callID + 2, opnum: nspi.OpnumUnbind, stub: unbindStub(), auth: v}))
	r.s(r.response(callID+2, 0, unboundStub(nspi.UnbindSuccess), v))
}

// accepted is a bind_ack that accepts all that bindPDU offers.
func (r *recording) accepted(callID uint32, v *Verifier) []byte {
	return r.ackPDU(PTypeBindAck, callID, v, acceptNDR, acceptNDR64, acceptNDR, acceptNDR)
}

// wholeConversations are conversations from the first PDU of a connection to the
// last. All PDU types occur, and each authentication that peers use.
func wholeConversations(t testing.TB) map[string][]recorded {
	all := map[string][]recorded{}
	for name, play := range map[string]func(r *recording){
		"no authentication": func(r *recording) {
			r.c(r.bindPDU(nil))
			r.s(r.accepted(1, nil))
			r.session(2, nil)
			r.c(r.mapCall(7))
			r.s(r.response(7, 0, make([]byte, 40), nil))
			r.s(must(t)(AppendShutdown(nil, Shutdown{Header: whole(PTypeShutdown, 0)})))
		},
		"NTLM with auth3": func(r *recording) {
			r.c(r.bindPDU(ntlmVerifier(7, LevelPrivacy, negotiateToken)))
			r.s(r.accepted(1, ntlmVerifier(7, LevelPrivacy, challengeToken)))
			r.c(r.auth3(7, LevelPrivacy, authenticateToken("LAB", "alice")))
			r.session(2, ntlmVerifier(7, LevelPrivacy, make([]byte, 16)))
		},
		"SPNEGO with a signature of its own": func(r *recording) {
			leg := func(token []byte) *Verifier {
				return &Verifier{Type: AuthSPNEGO, Level: LevelIntegrity, ContextID: 7, Token: token}
			}
			alter := func(callID uint32, token []byte) []byte {
				return must(t)(AppendBind(nil, Bind{Header: whole(PTypeAlterContext, callID), HasVerifier: true, Verifier: *leg(token)}))
			}
			r.c(r.bindPDU(leg(spnego.AppendInit(nil, spnego.Token{MechTypes: []spnego.OID{spnego.OIDNTLM}, MechToken: negotiateToken}))))
			r.s(r.accepted(1, leg(spnego.AppendResp(nil, spnego.Token{HasState: true, State: spnego.StateAcceptIncomplete, MechToken: challengeToken}))))
			r.c(alter(2, spnego.AppendResp(nil, spnego.Token{MechToken: authenticateToken("LAB", "alice")})))
			r.s(r.ackPDU(PTypeAlterContextResp, 2, leg(spnego.AppendResp(nil, spnego.Token{HasState: true, State: spnego.StateAcceptIncomplete}))))
			r.c(alter(3, spnego.AppendResp(nil, spnego.Token{ListMIC: make([]byte, 16)})))
			r.s(r.ackPDU(PTypeAlterContextResp, 3, leg(spnego.AppendResp(nil, spnego.Token{HasState: true, State: spnego.StateAcceptCompleted}))))
			r.session(4, leg(make([]byte, 16)))
		},
		"Kerberos in three legs, then a second context": func(r *recording) {
			r.c(r.bindPDU(ntlmVerifier(7, LevelIntegrity, apReq)))
			r.s(r.accepted(1, ntlmVerifier(7, LevelIntegrity, apRep)))
			r.c(alter(t, 2, 8, negotiateToken))
			r.s(r.ackPDU(PTypeAlterContextResp, 2, ntlmVerifier(8, LevelConnect, challengeToken)))
			r.c(r.auth3(8, LevelConnect, authenticateToken("LAB", "bob")))
			r.session(3, ntlmVerifier(8, LevelConnect, make([]byte, 16)))
			r.session(6, ntlmVerifier(7, LevelIntegrity, make([]byte, 16)))
		},
		"a refused bind, then another": func(r *recording) {
			r.c(r.bindPDU(ntlmVerifier(7, LevelIntegrity, negotiateToken)))
			r.s(must(t)(AppendBindNak(nil, BindNak{Header: whole(PTypeBindNak, 1)})))
			r.c(r.bindPDU(ntlmVerifier(7, LevelPrivacy, negotiateToken)))
			r.s(r.accepted(1, ntlmVerifier(7, LevelPrivacy, challengeToken)))
			r.c(r.auth3(7, LevelPrivacy, authenticateToken("LAB", "alice")))
			r.session(2, ntlmVerifier(7, LevelPrivacy, make([]byte, 16)))
		},
		"fragments, faults and calls given up": func(r *recording) {
			r.c(r.bindPDU(nil))
			r.s(r.accepted(1, nil))
			stub := bindStub(nspi.NDR)
			r.c(r.request(fragment{callID: 2, flags: FlagFirstFrag, stub: stub[:8]}),
				r.request(fragment{callID: 3, ctx: ctxOther, opnum: 5, flags: FlagFirstFrag, stub: stub[:8]}),
				r.request(fragment{callID: 2, flags: 0x08, stub: stub[8:16]}),
				r.request(fragment{callID: 2, flags: FlagLastFrag, stub: stub[16:]}),
				r.request(fragment{callID: 3, ctx: ctxOther, opnum: 5, flags: FlagLastFrag, stub: stub}))
			granted := grantedStub(nspi.NDR)
			r.s(r.response(2, FlagFirstFrag, granted[:8], nil), r.response(2, FlagLastFrag, granted[8:], nil), r.faultPDU(3, StatusAccessDenied))
			r.c(r.request(fragment{callID: 4, opnum: nspi.OpnumUnbind, stub: unbindStub()}),
				must(t)(AppendCoCancel(nil, CoCancel{Header: whole(PTypeCoCancel, 4)})),
				must(t)(AppendOrphaned(nil, Orphaned{Header: whole(PTypeOrphaned, 4)})))
			r.s(r.faultPDU(4, StatusContextMismatch))
			r.c(alter(t, 5, 9, []byte("garbage")))
			r.s(r.faultPDU(5, StatusAccessDenied))
			r.session(6, nil)
		},
	} {
		r := &recording{script: newScript(t)}
		play(r)
		all[name] = r.pdus
	}
	return all
}

// play feeds PDUs to a conversation of those options and returns the script.
func play(t testing.TB, opts ConversationOptions, pdus []recorded) *script {
	s := newScript(t)
	s.c = NewConversation(opts)
	for _, r := range pdus {
		s.step(r)
	}
	return s
}

func (s *script) step(r recorded) {
	if r.dir == ClientToServer {
		s.client(r.pdu)
	} else {
		s.server(r.pdu)
	}
}

func TestWholeConversationsAreFollowedWithoutError(t *testing.T) {
	types := map[PType]bool{}
	for name, pdus := range wholeConversations(t) {
		s := play(t, ConversationOptions{}, pdus)
		if s.err != nil || s.last().Kind != EventUnbindAnswered || !s.last().Granted {
			t.Errorf("%s: %v, error %v", name, s.events, s.err)
		}
		if s.c.calls != nil || s.c.requests != nil || s.c.binds != nil || s.c.Responding() || s.c.unfollowed.ids != nil {
			t.Errorf("%s: not at rest in the end: %+v", name, s.c)
		}
		for _, r := range pdus {
			types[parsed(t, r.pdu).Type] = true
		}
	}
	for p := range PTypeRTS {
		if p.Known() && !types[p] {
			t.Errorf("no %v in any conversation", p)
		}
	}
}
