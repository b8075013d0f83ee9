package rpcparse

import (
	"testing"

	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

// The rows of the table of adversarial inputs that concern the state of a
// connection. The rows about single PDUs and framing are in
// adversarial_test.go, those about tokens, towers and sessions in the packages
// that read them.

func TestFragmentsThatContradictTheirFirstAreRefused(t *testing.T) {
	auth := ntlmVerifier(7, LevelIntegrity, make([]byte, 16))
	for name, tc := range map[string]struct {
		first, later fragment
		class        Class
		field        string
	}{
		"opnum":       {fragment{opnum: 0}, fragment{opnum: 1}, ClassInvalid, "fragment_opnum"},
		"context":     {fragment{ctx: ctxOther}, fragment{ctx: ctxNSPI}, ClassInvalid, "fragment_context_id"},
		"object":      {fragment{}, fragment{flags: FlagObjectUUID}, ClassInvalid, "fragment_object"},
		"byte order":  {fragment{}, fragment{big: true}, ClassInvalid, "fragment_drep"},
		"no verifier": {fragment{auth: auth}, fragment{}, ClassAuth, "fragment_verifier"},
		"auth level":  {fragment{auth: auth}, fragment{auth: ntlmVerifier(7, LevelPrivacy, make([]byte, 16))}, ClassAuth, "fragment_verifier"},
		"auth type":   {fragment{auth: auth}, fragment{auth: &Verifier{Type: AuthKerberos, Level: LevelIntegrity, ContextID: 7, Token: make([]byte, 16)}}, ClassAuth, "fragment_verifier"},
		"auth id":     {fragment{auth: auth}, fragment{auth: ntlmVerifier(8, LevelIntegrity, make([]byte, 16))}, ClassAuth, "fragment_verifier"},
		"other call":  {fragment{}, fragment{callID: 9}, ClassState, "fragment_without_first"},
	} {
		t.Run(name, func(t *testing.T) {
			s := authenticated(t, LevelIntegrity)
			tc.first.callID, tc.first.flags = 2, FlagFirstFrag
			if tc.later.callID == 0 {
				tc.later.callID = 2
			}
			tc.later.flags |= FlagLastFrag
			tc.first.stub, tc.later.stub = make([]byte, 16), make([]byte, 16)
			s.client(s.request(tc.first), s.request(tc.later))
			s.wantError(tc.class, tc.field)
		})
	}
}

func TestServerFragmentsThatContradictTheirFirstAreRefused(t *testing.T) {
	s := bound(t)
	s.client(s.request(fragment{callID: 2, stub: bindStub(nspi.NDR)}))
	later := s.response(2, FlagLastFrag, make([]byte, 4), nil)
	later[20] = 9 // p_cont_id
	s.server(s.response(2, FlagFirstFrag, make([]byte, 40), nil), later)
	s.wantError(ClassInvalid, "fragment_context_id")
}

func TestOrderOfPDUsIsChecked(t *testing.T) {
	for name, tc := range map[string]struct {
		run   func(s *script)
		class Class
		field string
	}{
		"request before bind":        {func(s *script) { s.client(s.request(fragment{callID: 1})) }, ClassState, "request_before_bind"},
		"alter_context before bind":  {func(s *script) { s.client(must(s.t)(AppendBind(nil, Bind{Header: whole(PTypeAlterContext, 1)}))) }, ClassState, "alter_context_before_bind"},
		"auth3 before bind":          {func(s *script) { s.client(s.auth3(1, LevelConnect, negotiateToken)) }, ClassState, "auth3_before_bind"},
		"bind twice":                 {func(s *script) { s.client(s.bindPDU(nil), s.bindPDU(nil)) }, ClassState, "bind_twice"},
		"bind_ack without bind":      {func(s *script) { s.server(s.ackPDU(PTypeBindAck, 1, nil)) }, ClassState, "unexpected_answer"},
		"bind_nak without bind":      {func(s *script) { s.server(must(s.t)(AppendBindNak(nil, BindNak{Header: whole(PTypeBindNak, 1)}))) }, ClassState, "unexpected_answer"},
		"bind_ack for another call":  {func(s *script) { s.client(s.bindPDU(nil)).server(s.ackPDU(PTypeBindAck, 2, nil)) }, ClassState, "unexpected_answer"},
		"alter_context_resp to bind": {func(s *script) { s.client(s.bindPDU(nil)).server(s.ackPDU(PTypeAlterContextResp, 1, nil)) }, ClassState, "unexpected_answer"},
		"RTS outside HTTP":           {func(s *script) { s.client(golden(s.t, "rts ping")) }, ClassState, "ptype"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScript(t)
			tc.run(s)
			s.wantError(tc.class, tc.field)
		})
	}
}

func TestResponseBeforeTheLastFragmentOfItsRequestIsRefused(t *testing.T) {
	s := bound(t)
	s.client(s.request(fragment{callID: 2, flags: FlagFirstFrag, stub: make([]byte, 8)})).server(s.response(2, 0, grantedStub(nspi.NDR), nil))
	s.wantError(ClassState, "early_response")
}

func TestFragmentedCallMayNotBeginTwice(t *testing.T) {
	s := bound(t)
	s.client(s.request(fragment{callID: 2, ctx: ctxOther, flags: FlagFirstFrag}), s.request(fragment{callID: 2, ctx: ctxOther, flags: FlagFirstFrag}))
	s.wantError(ClassState, "fragment_first_twice")
}

func TestFragmentsOfSeveralCallsMayBeInterleaved(t *testing.T) {
	s := bound(t)
	stub := bindStub(nspi.NDR)
	s.client(s.request(fragment{callID: 2, ctx: ctxOther, flags: FlagFirstFrag}), s.request(fragment{callID: 3, flags: FlagFirstFrag, stub: stub[:20]}),
		s.request(fragment{callID: 2, ctx: ctxOther, flags: FlagLastFrag}), s.request(fragment{callID: 3, flags: FlagLastFrag, stub: stub[20:]}))
	if e := s.last(); e.Kind != EventBindRequested || !e.Call.Readable {
		t.Errorf("got %v", e)
	}
	if s.c.requests != nil {
		t.Errorf("%d requests are still in progress", len(s.c.requests))
	}
}

func TestRequestsInProgressAreCapped(t *testing.T) {
	s := bound(t)
	for n := range MaxFragmented + 1 {
		s.client(s.request(fragment{callID: uint32(n + 2), ctx: ctxOther, flags: FlagFirstFrag}))
	}
	s.wantError(ClassLimit, "fragmented_calls")
}

// redefinition offers context ctxNSPI as another interface.
func redefinition(t testing.TB, callID uint32) []byte {
	return must(t)(AppendBind(nil, Bind{Header: whole(PTypeAlterContext, callID), Contexts: NewContextList(
		ContextElement{ID: ctxNSPI, Abstract: otherInterface, Transfers: NewSyntaxList(SyntaxNDR)})}))
}

func TestAcceptedContextMayBeOfferedAgainButNotRedefined(t *testing.T) {
	again := must(t)(AppendBind(nil, Bind{Header: whole(PTypeAlterContext, 2), Contexts: NewContextList(
		ContextElement{ID: ctxNSPI, Abstract: nspi.Interface, Transfers: NewSyntaxList(SyntaxNDR)})}))
	s := bound(t)
	s.client(again).server(s.ackPDU(PTypeAlterContextResp, 2, nil, acceptNDR))
	s.client(redefinition(t, 3)).server(s.ackPDU(PTypeAlterContextResp, 3, nil, reject))
	s.wantNoError()
	s.client(redefinition(t, 4)).server(s.ackPDU(PTypeAlterContextResp, 4, nil, acceptNDR))
	s.wantError(ClassState, "context_redefined")
}

func TestHandshakeInDoubtMayFailButNotSucceed(t *testing.T) {
	doubtful := func(t *testing.T) *script {
		s := bound(t)
		s.client(s.bindPDU(nil))
		s.wantError(ClassState, "bind_twice")
		s.err = nil
		return s
	}
	s := doubtful(t)
	s.server(s.faultPDU(1, StatusProtoError))
	s.client(s.request(fragment{callID: 2, stub: bindStub(nspi.NDR)}))
	if e := s.last(); e.Kind != EventBindRequested {
		t.Errorf("after the server's no: %v", e)
	}
	s = doubtful(t)
	s.server(s.ackPDU(PTypeBindAck, 1, nil, acceptNDR))
	s.wantError(ClassState, "accepted_in_doubt")
}

func TestBindUnderAContestedUserIsRefused(t *testing.T) {
	s := authenticated(t, LevelConnect)
	s.client(s.auth3(7, LevelConnect, authenticateToken("LAB", "bob")))
	s.wantError(ClassState, "authenticated_twice")
	s.err = nil
	other := s.request(fragment{callID: 2, ctx: ctxOther, stub: make([]byte, 8)})
	s.client(other)
	s.wantNoError()
	bind := s.request(fragment{callID: 3, stub: bindStub(nspi.NDR)})
	s.client(bind)
	s.wantError(ClassAuth, "user_contested")
	if !s.c.MayHideBind(parsed(t, bind)) || s.c.MayHideBind(parsed(t, other)) {
		t.Error("the bind may go on to the server, or the other call may not")
	}
}

// An accepted context gets no other user (MS-RPCE 3.3.1.5.2.1).
func TestAcceptedContextKeepsItsUser(t *testing.T) {
	s := challenged(t, AuthNTLM)
	s.client(s.auth3(7, LevelConnect, authenticateToken("LAB", "alice")), s.bindCall(2)).server(s.response(2, 0, grantedStub(nspi.NDR), nil))
	s.client(s.auth3(7, LevelConnect, authenticateToken("LAB", "bob")))
	s.wantError(ClassState, "authenticated_twice")
	s.err = nil
	s.client(s.bindCall(3))
	if e := s.last(); !e.Security.Accepted() || e.Security.User != "alice" {
		t.Errorf("got %v", e)
	}
}

func TestWhatMayBeABindInAnyReadingIsHidden(t *testing.T) {
	s := bound(t)
	outstanding := s.request(fragment{callID: 2, stub: bindStub(nspi.NDR)})
	s.client(outstanding)
	for name, tc := range map[string]struct {
		pdu  []byte
		want bool
	}{
		"NspiBind":                       {s.request(fragment{callID: 5}), true},
		"later fragment says NspiBind":   {s.request(fragment{callID: 5, flags: FlagLastFrag}), true},
		"call id of a bind in flight":    {s.request(fragment{callID: 2, ctx: ctxOther, opnum: 9}), true},
		"another method":                 {s.request(fragment{callID: 5, opnum: 3}), false},
		"another interface":              {s.request(fragment{callID: 5, ctx: ctxOther}), false},
		"big-endian NspiBind":            {s.request(fragment{callID: 5, big: true}), true},
		"too short to have an operation": {s.request(fragment{callID: 5})[:20], true},
	} {
		if got := s.c.MayHideBind(parsed(t, tc.pdu)); got != tc.want {
			t.Errorf("%s: %t, want %t", name, got, tc.want)
		}
	}
}

func TestSecurityContextKeepsItsTypeAndLevel(t *testing.T) {
	alter := func(t testing.TB, v Verifier) []byte {
		return must(t)(AppendBind(nil, Bind{Header: whole(PTypeAlterContext, 2), HasVerifier: true, Verifier: v}))
	}
	for name, tc := range map[string]struct {
		pdu   func(s *script) []byte
		field string
		class Class
	}{
		"request lowers the level": {func(s *script) []byte {
			return s.request(fragment{callID: 2, auth: ntlmVerifier(7, LevelConnect, make([]byte, 16))})
		}, "auth_level", ClassAuth},
		"alter_context changes the level": {func(s *script) []byte { return alter(s.t, *ntlmVerifier(7, LevelConnect, negotiateToken)) }, "auth_level", ClassAuth},
		"alter_context changes the type": {func(s *script) []byte {
			return alter(s.t, Verifier{Type: AuthSPNEGO, Level: LevelPrivacy, ContextID: 7, Token: negotiateToken})
		}, "auth_type", ClassAuth},
		"auth3 twice":                           {func(s *script) []byte { return s.auth3(7, LevelPrivacy, authenticateToken("LAB", "bob")) }, "authenticated_twice", ClassState},
		"auth3 for a context that nobody began": {func(s *script) []byte { return s.auth3(9, LevelPrivacy, authenticateToken("LAB", "bob")) }, "auth3_without_context", ClassState},
	} {
		t.Run(name, func(t *testing.T) {
			s := authenticated(t, LevelPrivacy)
			s.client(tc.pdu(s))
			s.wantError(tc.class, tc.field)
		})
	}
}

func TestReusedOutstandingCallIDIsRefusedAndACompletedOneIsNot(t *testing.T) {
	s := bound(t)
	bind := s.request(fragment{callID: 2, stub: bindStub(nspi.NDR)})
	s.client(bind).server(s.response(2, 0, grantedStub(nspi.NDR), nil)).client(bind)
	s.wantNoError()
	s.client(bind)
	s.wantError(ClassState, "call_id")
}

func TestFollowedContextsAreCapped(t *testing.T) {
	s := bound(t)
	for n := range 10000 {
		alter := Bind{Header: whole(PTypeAlterContext, uint32(n+2)), Contexts: NewContextList(
			ContextElement{ID: uint16(n + 10), Abstract: nspi.Interface, Transfers: NewSyntaxList(SyntaxNDR)})}
		s.client(must(t)(AppendBind(nil, alter)))
		if s.err != nil {
			break
		}
		s.server(s.ackPDU(PTypeAlterContextResp, uint32(n+2), nil, acceptNDR))
	}
	s.wantError(ClassLimit, "presentation_contexts")
}

func TestUnfollowedContextsTakeNoMemory(t *testing.T) {
	s := bound(t)
	before := len(s.c.contexts)
	for n := range 10000 {
		alter := Bind{Header: whole(PTypeAlterContext, uint32(n+2)), Contexts: NewContextList(
			ContextElement{ID: uint16(n + 10), Abstract: otherInterface, Transfers: NewSyntaxList(SyntaxNDR)})}
		s.client(must(t)(AppendBind(nil, alter))).server(s.ackPDU(PTypeAlterContextResp, uint32(n+2), nil, acceptNDR))
	}
	s.wantNoError()
	if len(s.c.contexts) != before {
		t.Errorf("%d contexts are kept", len(s.c.contexts)-before)
	}
}

func TestSecurityContextsAreCapped(t *testing.T) {
	s := bound(t)
	for n := range MaxSecurityContexts + 1 {
		id := uint32(n + 2)
		s.client(must(t)(AppendBind(nil, Bind{Header: whole(PTypeAlterContext, id), HasVerifier: true, Verifier: *ntlmVerifier(id, LevelConnect, negotiateToken)})))
		s.server(s.ackPDU(PTypeAlterContextResp, id, nil))
	}
	s.wantError(ClassLimit, "security_contexts")
}

func TestHandshakesWithoutAnswerAreCapped(t *testing.T) {
	s := bound(t)
	for n := range maxPendingBinds + 1 {
		s.client(must(t)(AppendBind(nil, Bind{Header: whole(PTypeAlterContext, uint32(n+2))})))
	}
	s.wantError(ClassLimit, "handshakes")
}

func TestCallsInFlightAreCapped(t *testing.T) {
	s := bound(t)
	for n := range 70000 {
		s.client(s.request(fragment{callID: uint32(n + 2), stub: bindStub(nspi.NDR)}))
		if s.err != nil {
			break
		}
	}
	s.wantError(ClassLimit, "calls")
}

func TestEndlessBindStubIsCut(t *testing.T) {
	s := bound(t)
	s.client(s.request(fragment{callID: 2, flags: FlagFirstFrag, stub: make([]byte, 1000)}))
	for range 70000 {
		s.client(s.request(fragment{callID: 2, flags: Flags(0x08), stub: make([]byte, 1000)}))
		if s.err != nil {
			break
		}
	}
	s.wantError(ClassLimit, "stub")
}

func TestFragmentsOfOtherCallsAreCountedNotKept(t *testing.T) {
	s := bound(t)
	s.client(s.request(fragment{callID: 2, ctx: ctxOther, opnum: 5, flags: FlagFirstFrag, stub: make([]byte, 8)}))
	middle := s.request(fragment{callID: 2, ctx: ctxOther, opnum: 5, flags: Flags(0x08), stub: make([]byte, 8)})
	for range 70000 {
		s.client(middle)
	}
	s.client(s.request(fragment{callID: 2, ctx: ctxOther, opnum: 5, flags: FlagLastFrag}))
	s.wantNoError()
	if s.c.calls != nil {
		t.Error("a call that nobody follows is kept")
	}
}

func TestMissingResultsAreRejectionsAndSurplusOnesNobodys(t *testing.T) {
	s := newScript(t)
	s.client(s.bindPDU(nil)).server(s.ackPDU(PTypeBindAck, 1, nil, acceptNDR))
	s.wantNoError()
	if len(s.c.contexts) != 1 || s.c.contexts[0].ID != ctxNSPI {
		t.Errorf("one result was given, accepted: %v", s.c.contexts)
	}
	s = newScript(t)
	s.client(s.bindPDU(nil)).server(s.ackPDU(PTypeBindAck, 1, nil, reject, reject, reject, reject, acceptNDR, acceptNDR))
	s.wantNoError()
	if len(s.c.contexts) != 0 {
		t.Errorf("all were rejected, accepted: %v", s.c.contexts)
	}
}

func TestMalformedBindStubIsFollowedAllTheSame(t *testing.T) {
	// A server's unmarshaller may accept what this one does not: extra bytes must
	// not hide a session.
	for name, stub := range map[string][]byte{
		"one byte longer": append(bindStub(nspi.NDR), 0),
		"no GUID":         bindStub(nspi.NDR)[:44],
		"empty":           nil,
	} {
		t.Run(name, func(t *testing.T) {
			s := bound(t)
			s.client(s.request(fragment{callID: 2, stub: stub})).server(s.response(2, 0, grantedStub(nspi.NDR), nil))
			if e := s.last(); e.Kind != EventBindAnswered || !e.Granted || e.Handle != testHandle {
				t.Errorf("got %v", e)
			}
		})
	}
}

func TestMalformedTokensLeaveTheConnectionAlone(t *testing.T) {
	for name, token := range map[string][]byte{
		"empty sequence": {0x60, 0x00}, "lying length": {0x60, 0x84, 0xff, 0xff, 0xff, 0xff}, "one byte": {0x60},
		"short AUTHENTICATE": []byte("NTLMSSP\x00\x03\x00\x00\x00"), "garbage": make([]byte, 40),
	} {
		t.Run(name, func(t *testing.T) {
			s := newScript(t)
			s.client(s.bindPDU(&Verifier{Type: AuthSPNEGO, Level: LevelConnect, ContextID: 7, Token: token}))
			s.wantNoError()
		})
	}
}

func TestResponseForACallNeverMadeIsHarmless(t *testing.T) {
	s := bound(t)
	n := len(s.events)
	s.server(s.response(99, 0, grantedStub(nspi.NDR), nil), s.faultPDU(98, StatusAccessDenied))
	s.wantNoError()
	if len(s.events) != n {
		t.Errorf("events: %s", s.names())
	}
}
