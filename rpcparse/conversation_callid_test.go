package rpcparse

import (
	"testing"

	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
	"github.com/nspiproxy/nspiproxy/rpcparse/tower"
)

// clientLast feeds PDUs of which the last one is to be refused, and reports
// whether it hides something.
func (s *script) clientLast(pdus ...[]byte) (hides bool) {
	s.t.Helper()
	last := len(pdus) - 1
	s.client(pdus[:last]...)
	s.wantNoError()
	s.client(pdus[last])
	return s.c.MayHideBind(parsed(s.t, pdus[last]))
}

// again goes on after an error, as a proxy does that leaves it to the server.
func (s *script) again() *script {
	s.err = nil
	return s
}

func (s *script) otherCall(id uint32) []byte {
	return s.request(fragment{callID: id, ctx: ctxOther, opnum: 3, stub: make([]byte, 8)})
}

func (s *script) bindCall(id uint32) []byte {
	return s.request(fragment{callID: id, stub: bindStub(nspi.NDR)})
}

// An answer to the first call would be taken for the session's.
func TestSessionCallsShareNoCallIDWithAnOutstandingCall(t *testing.T) {
	for name, run := range map[string]func(s *script) []byte{
		"NspiBind after another call": func(s *script) []byte {
			s.client(s.otherCall(100))
			return s.bindCall(100)
		},
		"NspiUnbind after another call": func(s *script) []byte {
			s.client(s.otherCall(100))
			return s.request(fragment{callID: 100, opnum: nspi.OpnumUnbind, stub: unbindStub()})
		},
		"NspiBind after a call that was answered once and made twice": func(s *script) []byte {
			s.client(s.otherCall(100), s.otherCall(100)).server(s.response(100, 0, nil, nil))
			return s.bindCall(100)
		},
		"NspiBind after one of several": func(s *script) []byte {
			for id := range uint32(20) {
				s.client(s.otherCall(90 + id))
			}
			s.server(s.response(95, 0, nil, nil))
			return s.bindCall(100)
		},
		"NspiBind after two calls of which one is followed": func(s *script) []byte {
			ask := s.request(fragment{callID: 100, ctx: ctxMapper, opnum: tower.OpnumMap})
			s.client(ask, ask)
			s.wantError(ClassState, "call_id")
			s.again().server(s.response(100, 0, nil, nil))
			return s.bindCall(100)
		},
		"NspiBind after a call that was refused here only": func(s *script) []byte {
			s.client(s.request(fragment{callID: 100, ctx: ctxOther, flags: FlagLastFrag}))
			s.wantError(ClassState, "fragment_without_first")
			return s.again().bindCall(100)
		},
		"NspiBind after more calls than are told apart": func(s *script) []byte {
			for id := range uint32(maxOutstanding + 1) {
				s.client(s.otherCall(1000 + id))
			}
			return s.bindCall(100)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := bound(t)
			hides := s.clientLast(run(s))
			s.wantError(ClassState, "call_id")
			if !hides {
				t.Error("it may go on to the server")
			}
		})
	}
}

func TestCallIDMayBeUsedAgainAfterItsAnswer(t *testing.T) {
	s := bound(t)
	for id := range uint32(2 * maxOutstanding) {
		s.client(s.otherCall(id))
	}
	for id := range uint32(2 * maxOutstanding) {
		s.server(s.faultPDU(id, StatusAccessDenied))
	}
	s.client(s.bindCall(100))
	if e := s.last(); e.Kind != EventBindRequested {
		t.Errorf("got %v", e)
	}
	if s.c.unfollowed.ids != nil || s.c.unfollowed.more != 0 {
		t.Errorf("%d calls still wait", len(s.c.unfollowed.ids)+s.c.unfollowed.more)
	}
}

func TestAnswerOfAnEarlierCallProvesNothingForALaterOneOfItsID(t *testing.T) {
	s := newScript(t)
	s.client(s.bindPDU(ntlmVerifier(7, LevelConnect, negotiateToken)))
	s.server(s.ackPDU(PTypeBindAck, 1, nil, acceptNDR, acceptNDR64, acceptNDR, acceptNDR))
	s.client(s.otherCall(100), s.auth3(7, LevelConnect, authenticateToken("LAB", "victim")))
	s.client(s.request(fragment{callID: 100, ctx: ctxOther, opnum: 9, stub: make([]byte, 8), auth: ntlmVerifier(7, LevelConnect, make([]byte, 16))}))
	s.wantError(ClassState, "call_id")
	s.again().server(s.response(100, 0, nil, nil))
	if s.c.security[0].Accepted() {
		t.Error("the answer to the anonymous call proved the claim")
	}
}

// alter begins security context id, under a call id.
func alter(t testing.TB, callID, id uint32, token []byte) []byte {
	return must(t)(AppendBind(nil, Bind{Header: whole(PTypeAlterContext, callID), HasVerifier: true, Verifier: *ntlmVerifier(id, LevelConnect, token)}))
}

func TestRequestUnderTheCallIDOfAHandshakeAwaitsIt(t *testing.T) {
	s := bound(t)
	s.client(alter(t, 100, 9, []byte("garbage")))
	p := parsed(t, s.bindCall(100))
	if !s.c.AwaitsHandshake(p) {
		t.Error("the handshake's fault would be taken for the answer of the NspiBind")
	}
	s.server(s.faultPDU(100, StatusAccessDenied))
	if s.c.Handshaking() || s.c.AwaitsHandshake(p) {
		t.Error("the fault did not end the handshake")
	}
}

func TestHandshakeUnderTheCallIDOfAnNspiBindIsRefused(t *testing.T) {
	s := bound(t)
	hides := s.clientLast(s.bindCall(100), alter(t, 100, 9, []byte("garbage")))
	s.wantError(ClassState, "call_id")
	if !hides {
		t.Error("it may go on to the server")
	}
}

// A fault under the id of both does not say which of them it ends.
func TestFaultForAHandshakeLeavesTheCallOfItsIDOutstanding(t *testing.T) {
	s := bound(t)
	s.client(s.otherCall(100), alter(t, 100, 9, []byte("garbage"))).server(s.faultPDU(100, StatusAccessDenied))
	hides := s.clientLast(s.bindCall(100))
	s.wantError(ClassState, "call_id")
	if !hides {
		t.Error("it may go on to the server")
	}
}

func TestRequestBehindAHandshakeInDoubtAwaitsItUnlessItsContextIsKnown(t *testing.T) {
	s := bound(t)
	pdu := must(t)(AppendBind(nil, Bind{Header: whole(PTypeAlterContext, 2), Contexts: NewContextList(
		ContextElement{ID: 9, Abstract: nspi.Interface, Transfers: NewSyntaxList(SyntaxNDR)}),
		HasVerifier: true, Verifier: *ntlmVerifier(3, LevelConnect, negotiateToken)}))
	pdu[len(pdu)-len(negotiateToken)-VerifierSize+2] = 255 // auth_pad_length
	s.client(pdu)
	if s.err == nil {
		t.Fatal("the handshake is not in doubt")
	}
	for ctx, want := range map[uint16]bool{9: true, ctxNSPI: false} {
		p := parsed(t, s.request(fragment{callID: 3, ctx: ctx, stub: bindStub(nspi.NDR)}))
		if got := s.c.AwaitsHandshake(p); got != want {
			t.Errorf("context %d: awaits the handshake: %t, want %t", ctx, got, want)
		}
	}
}

func TestBindIsHiddenWhateverFragmentsItIsMixedOf(t *testing.T) {
	for name, parts := range map[string][]fragment{
		"context first, operation last": {{ctx: ctxNSPI, opnum: 3}, {ctx: ctxOther}},
		"operation first, context last": {{ctx: ctxOther}, {ctx: ctxNSPI, opnum: 3}},
		"context in the middle":         {{ctx: ctxOther, opnum: 3}, {ctx: ctxNSPI, opnum: 3}, {ctx: ctxOther}},
		"context in the other order":    {{ctx: ctxOther}, {ctx: ctxNSPI64 << 8, opnum: 3, big: true}},
	} {
		t.Run(name, func(t *testing.T) {
			s := bound(t)
			hides := false
			for n, f := range parts {
				f.callID, f.stub = 2, make([]byte, 8)
				switch n {
				case 0:
					f.flags = FlagFirstFrag
				case len(parts) - 1:
					f.flags = FlagLastFrag
				default:
					f.flags = 0x08
				}
				pdu := s.request(f)
				s.again().client(pdu)
				hides = s.err != nil && s.c.MayHideBind(parsed(t, pdu))
			}
			if !hides {
				t.Errorf("error %v, but it may go on to the server", s.err)
			}
		})
	}
}

func TestContextMayNotBecomeAnAddressBookDuringACall(t *testing.T) {
	s := bound(t)
	s.client(s.request(fragment{callID: 2, ctx: 9, flags: FlagFirstFrag, stub: bindStub(nspi.NDR)[:16]}))
	s.client(must(t)(AppendBind(nil, Bind{Header: whole(PTypeAlterContext, 3), Contexts: NewContextList(
		ContextElement{ID: 9, Abstract: nspi.Interface, Transfers: NewSyntaxList(SyntaxNDR)})})))
	s.server(s.ackPDU(PTypeAlterContextResp, 3, nil, acceptNDR))
	hides := s.clientLast(s.request(fragment{callID: 2, ctx: 9, flags: FlagLastFrag, stub: bindStub(nspi.NDR)[16:]}))
	s.wantError(ClassState, "context_during_call")
	if !hides {
		t.Error("it may go on to the server")
	}
}

func TestRequestsThatFaultsEndedMakeRoom(t *testing.T) {
	s := bound(t)
	for n := range uint32(3 * MaxFragmented) {
		s.client(s.request(fragment{callID: n + 2, ctx: ctxOther, flags: FlagFirstFrag})).server(s.faultPDU(n+2, StatusAccessDenied))
	}
	s.wantNoError()
}

func TestOneCallAtATimeTakesNoMemory(t *testing.T) {
	s := bound(t)
	request, answer := parsed(t, s.otherCall(2)), parsed(t, s.response(2, 0, nil, nil))
	var scratch [2]Event
	n := testing.AllocsPerRun(100, func() {
		for range 4 {
			if _, err := s.c.ClientPDU(request, scratch[:0]); err != nil {
				t.Fatal(err)
			}
		}
		for range 4 {
			if _, err := s.c.ServerPDU(answer, scratch[:0]); err != nil {
				t.Fatal(err)
			}
		}
	})
	if n != 0 {
		t.Errorf("%v allocations for four calls at a time", n)
	}
}

func TestRespondingLastsUntilTheLastFragment(t *testing.T) {
	begin := func(t *testing.T) *script {
		s := bound(t)
		return s.server(s.response(90, FlagFirstFrag, make([]byte, 8), nil))
	}
	orphan := func(s *script) []byte {
		return must(s.t)(AppendOrphaned(nil, Orphaned{Header: whole(PTypeOrphaned, 90)}))
	}
	for name, tc := range map[string]struct {
		run  func(s *script)
		want bool
	}{
		"nothing else":                        {func(*script) {}, true},
		"last fragment":                       {func(s *script) { s.server(s.response(90, FlagLastFrag, nil, nil)) }, false},
		"fault":                               {func(s *script) { s.server(s.faultPDU(90, StatusAccessDenied)) }, false},
		"another call's whole response":       {func(s *script) { s.server(s.response(91, 0, nil, nil)) }, true},
		"another call's fault":                {func(s *script) { s.server(s.faultPDU(91, StatusAccessDenied)) }, true},
		"orphaned":                            {func(s *script) { s.client(orphan(s)) }, true},
		"orphaned, then the last fragment":    {func(s *script) { s.client(orphan(s)).server(s.response(90, FlagLastFrag, nil, nil)) }, false},
		"orphaned, then a whole response":     {func(s *script) { s.client(orphan(s)).server(s.response(91, 0, nil, nil)) }, false},
		"orphaned, then another call's fault": {func(s *script) { s.client(orphan(s)).server(s.faultPDU(91, StatusAccessDenied)) }, false},
		"orphaned, then another first and all": {func(s *script) {
			s.client(orphan(s)).server(s.response(91, FlagFirstFrag, nil, nil), s.response(91, FlagLastFrag, nil, nil))
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := begin(t)
			tc.run(s)
			s.wantNoError()
			if got := s.c.Responding(); got != tc.want {
				t.Errorf("responding %t, want %t", got, tc.want)
			}
		})
	}
}
