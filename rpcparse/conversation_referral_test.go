package rpcparse

import (
	"testing"

	"github.com/nspiproxy/nspiproxy/rpcparse/rfri"
)

// referring is a connection with the referral interface in context 9, added by
// alter_context to those that are there.
func referring(t *testing.T, s *script) *script {
	alter := Bind{Header: whole(PTypeAlterContext, 50), Contexts: NewContextList(
		ContextElement{ID: 9, Abstract: rfri.Interface, Transfers: NewSyntaxList(SyntaxNDR)})}
	s.client(must(t)(AppendBind(nil, alter))).server(s.ackPDU(PTypeAlterContextResp, 50, nil, acceptNDR))
	s.wantNoError()
	return s
}

// needsStub asks as a relay does, before the PDU is fed.
func (s *script) needsStub(pdu []byte) bool { return s.c.NeedsStub(parsed(s.t, pdu)) }

func TestCallsThatReferClientsAreFound(t *testing.T) {
	for opnum, want := range map[uint16]bool{rfri.OpnumGetNewDSA: true, rfri.OpnumGetFQDNFromServerDN: true, 2: false} {
		s := referring(t, bound(t))
		request := s.request(fragment{callID: 60, ctx: 9, opnum: opnum, stub: make([]byte, 40)})
		if s.needsStub(request) {
			t.Errorf("opnum %d: the request is to be read", opnum)
		}
		s.client(request)
		if got := s.pdu.Call.Refers(); got != want {
			t.Errorf("opnum %d: %t at the request", opnum, got)
		}
		response := s.response(60, 0, make([]byte, 40), nil)
		if got := s.needsStub(response); got != want {
			t.Errorf("opnum %d: the response matters: %t", opnum, got)
		}
		s.server(response)
		if got := s.pdu.Call.Refers(); got != want {
			t.Errorf("opnum %d: %t at the response", opnum, got)
		}
		if s.needsStub(response) {
			t.Errorf("opnum %d: a second response matters", opnum)
		}
		s.wantNoError()
	}
}

func TestOtherCallsReferNobody(t *testing.T) {
	s := referring(t, bound(t))
	for id, ctx := range []uint16{ctxNSPI, ctxMapper, ctxOther, 8} {
		s.client(s.request(fragment{callID: uint32(60 + id), ctx: ctx, stub: bindStub(0)}))
		if s.pdu.Call.Refers() {
			t.Errorf("context %d", ctx)
		}
	}
	if (*Call)(nil).Refers() || (&Call{}).Refers() {
		t.Error("a call without a context refers")
	}
}

// A claim is proved by a referral's answer as by any other call's.
func TestReferralProvesTheClaimOfItsContext(t *testing.T) {
	s := referring(t, authenticated(t, LevelConnect))
	v := ntlmVerifier(7, LevelConnect, make([]byte, 16))
	s.client(s.request(fragment{callID: 60, ctx: 9, auth: v})).server(s.response(60, 0, nil, nil))
	if e := s.last(); e.Kind != EventAuthenticated || !e.Security.Accepted() {
		t.Errorf("got %v", e)
	}
	s.wantNoError()
}
