package rpcparse

import (
	"encoding/binary"
	"errors"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
	"github.com/nspiproxy/nspiproxy/rpcparse/tower"
)

// script feeds a conversation PDU by PDU and remembers what it said.
type script struct {
	t      testing.TB
	c      *Conversation
	events []Event
	err    error
	pdu    *PDU // that was fed last
}

func newScript(t testing.TB) *script { return &script{t: t, c: &Conversation{}} }

// client feeds PDUs of the client and returns the script, to chain.
func (s *script) client(pdus ...[]byte) *script {
	for _, p := range pdus {
		s.feed(s.c.ClientPDU, p)
	}
	return s
}

func (s *script) server(pdus ...[]byte) *script {
	for _, p := range pdus {
		s.feed(s.c.ServerPDU, p)
	}
	return s
}

func (s *script) feed(f func(*PDU, []Event) ([]Event, error), pdu []byte) {
	s.t.Helper()
	if s.err != nil {
		return
	}
	s.pdu = parsed(s.t, pdu)
	s.events, s.err = f(s.pdu, s.events)
}

// parsed parses a PDU of a test, whose header must be good.
func parsed(t testing.TB, pdu []byte) *PDU {
	t.Helper()
	h, err := ParseHeader(pdu)
	if err != nil {
		t.Fatalf("test PDU: %v", err)
	}
	p := &PDU{}
	p.Parse(h, pdu)
	return p
}

// names returns the events so far, one word each.
func (s *script) names() string {
	var b []string
	for _, e := range s.events {
		b = append(b, e.Kind.String())
	}
	return strings.Join(b, " ")
}

// last returns the newest event.
func (s *script) last() Event {
	s.t.Helper()
	if s.err != nil || len(s.events) == 0 {
		s.t.Fatalf("no event; error %v", s.err)
	}
	return s.events[len(s.events)-1]
}

func (s *script) wantError(class Class, name string) {
	s.t.Helper()
	var e *Error
	if !errors.As(s.err, &e) || e.Class != class || e.Name != name {
		s.t.Errorf("error = %v, want %v %s", s.err, class, name)
	}
}

func (s *script) wantNoError() {
	s.t.Helper()
	if s.err != nil {
		s.t.Errorf("unexpected error: %v", s.err)
	}
}

func must(t testing.TB) func([]byte, error) []byte {
	return func(b []byte, err error) []byte {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
}

func whole(t PType, callID uint32) Header {
	return Header{Type: t, Flags: FlagsWhole, Drep: DrepLittleEndian, CallID: callID}
}

// Presentation contexts of the tests.
const (
	ctxNSPI, ctxNSPI64, ctxMapper, ctxOther = 0, 1, 2, 3
)

var otherInterface = SyntaxID{UUID: wire.MustUUID("e3514235-4b06-11d1-ab04-00c04fc2dcd2"), Version: 4}

func (s *script) bindPDU(v *Verifier) []byte {
	b := Bind{Header: whole(PTypeBind, 1), MaxXmitFrag: 5840, MaxRecvFrag: 5840, Contexts: NewContextList(
		ContextElement{ID: ctxNSPI, Abstract: nspi.Interface, Transfers: NewSyntaxList(SyntaxNDR)},
		ContextElement{ID: ctxNSPI64, Abstract: nspi.Interface, Transfers: NewSyntaxList(SyntaxNDR64)},
		ContextElement{ID: ctxMapper, Abstract: tower.EPMInterface, Transfers: NewSyntaxList(SyntaxNDR)},
		ContextElement{ID: ctxOther, Abstract: otherInterface, Transfers: NewSyntaxList(SyntaxNDR)},
	)}
	if v != nil {
		b.HasVerifier, b.Verifier = true, *v
	}
	return must(s.t)(AppendBind(nil, b))
}

func (s *script) ackPDU(t PType, callID uint32, v *Verifier, results ...ContextResult) []byte {
	a := BindAck{Header: whole(t, callID), MaxXmitFrag: 5840, MaxRecvFrag: 4280, AssocGroupID: 0x1234,
		SecondaryAddress: []byte("135\x00"), Results: NewResultList(results...)}
	if v != nil {
		a.HasVerifier, a.Verifier = true, *v
	}
	return must(s.t)(AppendBindAck(nil, a))
}

var (
	acceptNDR   = ContextResult{Transfer: SyntaxNDR}
	acceptNDR64 = ContextResult{Transfer: SyntaxNDR64}
	reject      = ContextResult{Result: ResultProviderRejection, Reason: 1}
)

// bound is a script after bind and bind_ack without authentication.
func bound(t testing.TB) *script {
	s := newScript(t)
	s.client(s.bindPDU(nil)).server(s.ackPDU(PTypeBindAck, 1, nil, acceptNDR, acceptNDR64, acceptNDR, acceptNDR))
	s.wantNoError()
	return s
}

// fragment describes a request for [script.request].
type fragment struct {
	callID uint32
	ctx    uint16
	opnum  uint16
	flags  Flags // 0: whole
	stub   []byte
	auth   *Verifier
	big    bool // big-endian
}

func (s *script) request(f fragment) []byte {
	r := Request{Header: whole(PTypeRequest, f.callID), ContextID: f.ctx, Opnum: f.opnum, Stub: f.stub, AllocHint: uint32(len(f.stub))}
	if f.flags != 0 {
		r.Flags = f.flags &^ FlagObjectUUID
		r.HasObject = f.flags&FlagObjectUUID != 0
	}
	if f.big {
		r.Drep = DrepOf(BigEndian)
	}
	if f.auth != nil {
		r.HasVerifier, r.Verifier = true, *f.auth
		r.Verifier.PadLength = PadTo(len(f.stub), 16)
	}
	return must(s.t)(AppendRequest(nil, r))
}

func (s *script) response(callID uint32, flags Flags, stub []byte, v *Verifier) []byte {
	r := Response{Header: whole(PTypeResponse, callID), Stub: stub, AllocHint: uint32(len(stub))}
	if flags != 0 {
		r.Flags = flags
	}
	if v != nil {
		r.HasVerifier, r.Verifier = true, *v
		r.Verifier.PadLength = PadTo(len(stub), 16)
	}
	return must(s.t)(AppendResponse(nil, r))
}

func (s *script) faultPDU(callID, status uint32) []byte {
	return must(s.t)(AppendFault(nil, Fault{Header: whole(PTypeFault, callID), Status: status}))
}

var testHandle = nspi.Handle{4: 1, 19: 9}

func bindStub(s nspi.Syntax) []byte {
	return nspi.AppendBindRequest(nil, nspi.BindRequest{HasGUID: true, Referent: 1}, s, LittleEndian)
}

func grantedStub(s nspi.Syntax) []byte {
	return nspi.AppendBindResponse(nil, nspi.BindResponse{HasGUID: true, Referent: 1, Handle: testHandle}, s, LittleEndian)
}

func unbindStub() []byte {
	return nspi.AppendUnbindRequest(nil, nspi.UnbindRequest{Handle: testHandle}, nspi.NDR, LittleEndian)
}

func unboundStub(code nspi.Code) []byte {
	return nspi.AppendUnbindResponse(nil, nspi.UnbindResponse{Code: code}, nspi.NDR, LittleEndian)
}

// authenticateToken is a raw NTLM AUTHENTICATE message with fields where real
// clients put them (MS-NLMP 2.2.1.3).
func authenticateToken(domain, user string) []byte {
	const fixed = 64
	b := make([]byte, fixed)
	copy(b, "NTLMSSP\x00")
	binary.LittleEndian.PutUint32(b[8:], 3)
	binary.LittleEndian.PutUint32(b[60:], 0x1)
	put := func(at int, text string) {
		start := len(b)
		for _, u := range utf16.Encode([]rune(text)) {
			b = binary.LittleEndian.AppendUint16(b, u)
		}
		binary.LittleEndian.PutUint16(b[at:], uint16(len(b)-start))
		binary.LittleEndian.PutUint16(b[at+2:], uint16(len(b)-start))
		binary.LittleEndian.PutUint32(b[at+4:], uint32(start))
	}
	put(28, domain)
	put(36, user)
	put(44, "PC7")
	return b
}

var negotiateToken = append([]byte("NTLMSSP\x00\x01\x00\x00\x00"), make([]byte, 20)...)

func ntlmVerifier(id uint32, level AuthLevel, token []byte) *Verifier {
	return &Verifier{Type: AuthNTLM, Level: level, ContextID: id, Token: token}
}

func (s *script) auth3(id uint32, level AuthLevel, token []byte) []byte {
	return must(s.t)(AppendAuth3(nil, Auth3{Header: whole(PTypeAuth3, 1), HasVerifier: true, Verifier: *ntlmVerifier(id, level, token)}))
}

// authenticated is a script after a raw NTLM handshake of LAB\alice.
func authenticated(t testing.TB, level AuthLevel) *script {
	s := newScript(t)
	s.client(s.bindPDU(ntlmVerifier(7, level, negotiateToken)))
	s.server(s.ackPDU(PTypeBindAck, 1, ntlmVerifier(7, level, []byte("NTLMSSP\x00\x02\x00\x00\x00")), acceptNDR, acceptNDR64, acceptNDR, acceptNDR))
	s.client(s.auth3(7, level, authenticateToken("LAB", "alice")))
	s.wantNoError()
	return s
}

func TestBindAndUnbindAreReadInBothSyntaxes(t *testing.T) {
	for name, tc := range map[string]struct {
		ctx    uint16
		syntax nspi.Syntax
	}{"NDR": {ctxNSPI, nspi.NDR}, "NDR64": {ctxNSPI64, nspi.NDR64}} {
		t.Run(name, func(t *testing.T) {
			s := bound(t)
			s.client(s.request(fragment{callID: 2, ctx: tc.ctx, stub: bindStub(tc.syntax)}))
			if e := s.last(); e.Kind != EventBindRequested || !e.Call.Readable || !e.Call.Bind.HasGUID {
				t.Errorf("request: %v", e)
			}
			s.server(s.response(2, 0, grantedStub(tc.syntax), nil))
			if e := s.last(); e.Kind != EventBindAnswered || !e.Granted || e.Handle != testHandle || e.Opaque {
				t.Errorf("answer: %v", e)
			}
			s.client(s.request(fragment{callID: 3, ctx: tc.ctx, opnum: nspi.OpnumUnbind, stub: unbindStub()}))
			s.server(s.response(3, 0, unboundStub(nspi.UnbindSuccess), nil))
			if e := s.last(); e.Kind != EventUnbindAnswered || !e.Granted || e.Handle != testHandle {
				t.Errorf("unbind: %v", e)
			}
			if s.c.calls != nil {
				t.Errorf("%d calls remain", len(s.c.calls))
			}
		})
	}
}

func TestAnswersOtherThanSuccessGrantNothing(t *testing.T) {
	failed := nspi.AppendBindFailure(nil, nspi.NDR, nspi.FormEcho, nspi.BindRequest{HasGUID: true, Referent: 1})
	nullHandle := nspi.AppendBindResponse(nil, nspi.BindResponse{}, nspi.NDR, LittleEndian)
	for name, answer := range map[string]func(s *script) []byte{
		"logon failed, echo form": func(s *script) []byte { return s.response(2, 0, failed, nil) },
		"success, NULL handle":    func(s *script) []byte { return s.response(2, 0, nullHandle, nil) },
		"fault":                   func(s *script) []byte { return s.faultPDU(2, StatusAccessDenied) },
		"stub too short":          func(s *script) []byte { return s.response(2, 0, make([]byte, 20), nil) },
		"stub too long":           func(s *script) []byte { return s.response(2, 0, make([]byte, 45), nil) },
	} {
		t.Run(name, func(t *testing.T) {
			s := bound(t)
			s.client(s.request(fragment{callID: 2, stub: bindStub(nspi.NDR)})).server(answer(s))
			if e := s.last(); e.Kind != EventBindAnswered || e.Granted {
				t.Errorf("got %v", e)
			}
		})
	}
}

func TestUnbindThatFailsOrFaultsIsNotGranted(t *testing.T) {
	s := bound(t)
	s.client(s.request(fragment{callID: 2, opnum: nspi.OpnumUnbind, stub: unbindStub()}))
	s.server(s.response(2, 0, unboundStub(nspi.UnbindFailure), nil))
	if e := s.last(); e.Granted || e.Code != nspi.UnbindFailure {
		t.Errorf("rc 2: %v", e)
	}
	s.client(s.request(fragment{callID: 3, opnum: nspi.OpnumUnbind, stub: unbindStub()})).server(s.faultPDU(3, StatusContextMismatch))
	if e := s.last(); e.Granted || e.Fault != StatusContextMismatch || e.Handle != testHandle {
		t.Errorf("fault: %v", e)
	}
}

func TestUserIsClaimedAtAuth3AndAcceptedByTheFirstResponse(t *testing.T) {
	s := authenticated(t, LevelConnect)
	if e := s.last(); e.Kind != EventUserClaimed || e.Security.Account() != `LAB\alice` || e.Security.Accepted() {
		t.Fatalf("after auth3: %v", e)
	}
	s.client(s.request(fragment{callID: 2, stub: bindStub(nspi.NDR)}))
	if e := s.last(); e.Security.Account() != `LAB\alice` || e.Security.Workstation != "PC7" {
		t.Errorf("request is made by %v", e.Security)
	}
	s.server(s.response(2, 0, grantedStub(nspi.NDR), nil))
	if got, want := s.names(), "association_requested association_joined user_claimed nspi_bind_requested authenticated nspi_bind_answered"; got != want {
		t.Errorf("events %q, want %q", got, want)
	}
	if !s.last().Security.Accepted() {
		t.Error("not accepted after a response")
	}
}

func TestFaultProvesNoClaim(t *testing.T) {
	s := authenticated(t, LevelConnect)
	s.client(s.request(fragment{callID: 2, stub: bindStub(nspi.NDR)})).server(s.faultPDU(2, StatusAccessDenied))
	if e := s.last(); e.Security.Accepted() {
		t.Error("a fault made the claim accepted")
	}
}

func TestAnotherCallsResponseProvesTheClaimToo(t *testing.T) {
	s := authenticated(t, LevelConnect)
	v := ntlmVerifier(7, LevelConnect, make([]byte, 16))
	s.client(s.request(fragment{callID: 2, ctx: ctxOther, opnum: 9, stub: make([]byte, 8), auth: v})).server(s.response(2, 0, make([]byte, 4), nil))
	if e := s.last(); e.Kind != EventAuthenticated || !e.Security.Accepted() {
		t.Errorf("got %v", e)
	}
}

// A server that did not believe the auth3 carries out a request without a
// verifier as nobody's: Samba does, and answers NspiBind with LogonFailed.
func TestAnswerToARequestWithoutVerifierProvesTheClaimByAGrantOnly(t *testing.T) {
	failed := nspi.AppendBindFailure(nil, nspi.NDR, nspi.FormSpec, nspi.BindRequest{})
	s := authenticated(t, LevelConnect)
	s.client(s.request(fragment{callID: 2, ctx: ctxOther, opnum: 9, stub: make([]byte, 8)})).server(s.response(2, 0, make([]byte, 4), nil))
	s.client(s.request(fragment{callID: 3, stub: bindStub(nspi.NDR)})).server(s.response(3, 0, failed, nil))
	if e := s.last(); e.Kind != EventBindAnswered || e.Security.Accepted() {
		t.Errorf("after answers that nobody may get: %v", e)
	}
	s.client(s.request(fragment{callID: 4, stub: bindStub(nspi.NDR)})).server(s.response(4, 0, grantedStub(nspi.NDR), nil))
	if e := s.last(); !e.Granted || !e.Security.Accepted() {
		t.Errorf("after a grant: %v", e)
	}
}

func TestUntrailedCallOfSeveralContextsProvesNothing(t *testing.T) {
	s := authenticated(t, LevelConnect)
	second := Bind{Header: whole(PTypeAlterContext, 4), HasVerifier: true, Verifier: *ntlmVerifier(8, LevelConnect, negotiateToken)}
	s.client(must(t)(AppendBind(nil, second))).server(s.ackPDU(PTypeAlterContextResp, 4, nil))
	s.client(s.auth3(8, LevelConnect, authenticateToken("LAB", "victim")))
	s.client(s.request(fragment{callID: 5, ctx: ctxMapper, opnum: tower.OpnumMap, stub: make([]byte, 8)}))
	s.server(s.response(5, 0, make([]byte, 8), nil))
	s.wantNoError()
	for _, id := range []uint32{7, 8} {
		if s.c.security.find(id).Accepted() {
			t.Errorf("security context %d accepted by an answer that may be another's", id)
		}
	}
}

func TestSealedBindIsJudgedByLengths(t *testing.T) {
	sealed := func(n int) []byte { return make([]byte, n) }
	token := make([]byte, 16)
	for name, tc := range map[string]struct {
		answer  int
		granted bool
	}{"with GUID": {44, true}, "without": {28, false}, "no length of NspiBind": {48, true}} {
		t.Run(name, func(t *testing.T) {
			s := authenticated(t, LevelPrivacy)
			v := ntlmVerifier(7, LevelPrivacy, token)
			s.client(s.request(fragment{callID: 2, stub: sealed(60), auth: v}))
			if e := s.last(); e.Kind != EventBindRequested || !e.Opaque || !e.Call.Protected() {
				t.Fatalf("request: %v", e)
			}
			s.server(s.response(2, 0, sealed(tc.answer), v))
			if e := s.last(); !e.Opaque || e.Granted != tc.granted {
				t.Errorf("answer: %v, want granted %t", e, tc.granted)
			}
		})
	}
}

func TestSignedBindIsReadAsItIs(t *testing.T) {
	s := authenticated(t, LevelIntegrity)
	v := ntlmVerifier(7, LevelIntegrity, make([]byte, 16))
	s.client(s.request(fragment{callID: 2, stub: bindStub(nspi.NDR), auth: v})).server(s.response(2, 0, grantedStub(nspi.NDR), v))
	if e := s.last(); !e.Granted || e.Handle != testHandle || !e.Call.Protected() || e.Call.Sealed() {
		t.Errorf("got %v", e)
	}
}

func TestFragmentedBindIsPutTogether(t *testing.T) {
	s := bound(t)
	stub := bindStub(nspi.NDR)
	s.client(s.request(fragment{callID: 2, flags: FlagFirstFrag, stub: stub[:20]}))
	if s.names() != "association_requested association_joined" {
		t.Errorf("events before the last fragment: %s", s.names())
	}
	s.client(s.request(fragment{callID: 2, flags: FlagLastFrag, stub: stub[20:]}))
	if e := s.last(); e.Kind != EventBindRequested || !e.Call.Readable {
		t.Fatalf("got %v", e)
	}
	answer := grantedStub(nspi.NDR)
	s.server(s.response(2, FlagFirstFrag, answer[:30], nil), s.response(2, FlagLastFrag, answer[30:], nil))
	if e := s.last(); !e.Granted || e.Handle != testHandle {
		t.Errorf("got %v", e)
	}
}

func TestAlterContextAddsAndForgetsNothing(t *testing.T) {
	s := newScript(t)
	one := Bind{Header: whole(PTypeBind, 1), Contexts: NewContextList(ContextElement{ID: 0, Abstract: otherInterface, Transfers: NewSyntaxList(SyntaxNDR)})}
	s.client(must(t)(AppendBind(nil, one))).server(s.ackPDU(PTypeBindAck, 1, nil, acceptNDR))
	two := Bind{Header: whole(PTypeAlterContext, 2), Contexts: NewContextList(ContextElement{ID: 3, Abstract: nspi.Interface, Transfers: NewSyntaxList(SyntaxNDR)})}
	s.client(must(t)(AppendBind(nil, two))).server(s.ackPDU(PTypeAlterContextResp, 2, nil, acceptNDR))
	three := Bind{Header: whole(PTypeAlterContext, 3), Contexts: NewContextList(ContextElement{ID: 4, Abstract: tower.EPMInterface, Transfers: NewSyntaxList(SyntaxNDR)})}
	s.client(must(t)(AppendBind(nil, three))).server(s.ackPDU(PTypeAlterContextResp, 3, nil, acceptNDR))
	s.client(s.request(fragment{callID: 4, ctx: 3, stub: bindStub(nspi.NDR)}))
	if e := s.last(); e.Kind != EventBindRequested {
		t.Errorf("NspiBind on context 3: %v", e)
	}
}

func TestTransferSyntaxInForceIsThatOfTheContext(t *testing.T) {
	s := newScript(t)
	b := Bind{Header: whole(PTypeBind, 1), Contexts: NewContextList(ContextElement{ID: 0, Abstract: nspi.Interface, Transfers: NewSyntaxList(SyntaxNDR, SyntaxNDR64)})}
	s.client(must(t)(AppendBind(nil, b))).server(s.ackPDU(PTypeBindAck, 1, nil, acceptNDR64))
	s.client(s.request(fragment{callID: 2, stub: bindStub(nspi.NDR64)}))
	if e := s.last(); !e.Call.Readable || e.Call.Context.Transfer != TransferNDR64 {
		t.Errorf("the server chose NDR64, but: %v in %v", e, e.Call.Context.Transfer)
	}
}

func TestRequestOnAProposedContextAwaitsTheAnswer(t *testing.T) {
	s := newScript(t)
	s.client(s.bindPDU(nil))
	p := parsed(t, s.request(fragment{callID: 2, stub: bindStub(nspi.NDR)}))
	if !s.c.AwaitsHandshake(p) {
		t.Error("decided before the bind_ack")
	}
	s.server(s.ackPDU(PTypeBindAck, 1, nil, acceptNDR))
	if s.c.AwaitsHandshake(p) {
		t.Error("still undecided after the bind_ack")
	}
}

func TestHeaderSigningIsLatchedWhenBothAgree(t *testing.T) {
	s := newScript(t)
	b := Bind{Header: whole(PTypeBind, 1)}
	s.client(must(t)(AppendBind(nil, b))).server(s.ackPDU(PTypeBindAck, 1, nil))
	alter := Bind{Header: whole(PTypeAlterContext, 2)}
	alter.Flags |= FlagSupportHeaderSign
	answer := s.ackPDU(PTypeAlterContextResp, 2, nil)
	answer[3] |= byte(FlagSupportHeaderSign)
	s.client(must(t)(AppendBind(nil, alter))).server(answer)
	again := Bind{Header: whole(PTypeAlterContext, 3)}
	s.client(must(t)(AppendBind(nil, again))).server(s.ackPDU(PTypeAlterContextResp, 3, nil))
	s.wantNoError()
	if !s.c.HeaderSigning() {
		t.Error("header signing was agreed late and is not in force")
	}
}

func TestCancelAndOrphanedReleaseNothing(t *testing.T) {
	for _, ptype := range []PType{PTypeCoCancel, PTypeOrphaned} {
		s := bound(t)
		s.client(s.request(fragment{callID: 2, stub: bindStub(nspi.NDR)}))
		s.client(must(t)(AppendCoCancel(nil, CoCancel{Header: whole(PTypeCoCancel, 2)})))
		if e := s.last(); e.Kind != EventCallAbandoned {
			t.Errorf("%v: %v", ptype, e)
		}
		s.server(s.response(2, 0, grantedStub(nspi.NDR), nil))
		if e := s.last(); !e.Granted {
			t.Errorf("%v: the grant after it: %v", ptype, e)
		}
	}
}

func TestClientMayBeginAnotherCallAfterAFaultOvertookItsFragments(t *testing.T) {
	s := bound(t)
	s.client(s.request(fragment{callID: 2, ctx: ctxOther, flags: FlagFirstFrag, stub: make([]byte, 8)}))
	s.server(s.faultPDU(2, StatusServerTooBusy))
	s.client(s.request(fragment{callID: 3, stub: bindStub(nspi.NDR)}))
	if e := s.last(); e.Kind != EventBindRequested {
		t.Errorf("got %v, error %v", e, s.err)
	}
}

func TestFollowAllKnowsEveryCall(t *testing.T) {
	s := newScript(t)
	s.c = NewConversation(ConversationOptions{FollowAll: true})
	s.client(s.bindPDU(nil)).server(s.ackPDU(PTypeBindAck, 1, nil, acceptNDR, reject, acceptNDR, acceptNDR))
	s.client(s.request(fragment{callID: 2, ctx: ctxOther, opnum: 12, stub: make([]byte, 4)})).server(s.response(2, 0, nil, nil))
	if k := s.pdu.Call; k == nil || k.Opnum != 12 || k.Context.Abstract != otherInterface {
		t.Errorf("call of the response: %+v", k)
	}
}

func BenchmarkConversationRequestAndResponse(b *testing.B) {
	s := bound(b)
	request := s.request(fragment{callID: 2, opnum: 3, stub: make([]byte, 200)})
	answer := s.response(2, 0, make([]byte, 1024), nil)
	var scratch [2]Event
	var p PDU
	b.ReportAllocs()
	for b.Loop() {
		hr, _ := ParseHeader(request)
		ha, _ := ParseHeader(answer)
		p.Parse(hr, request)
		_, _ = s.c.ClientPDU(&p, scratch[:0])
		p.Parse(ha, answer)
		_, _ = s.c.ServerPDU(&p, scratch[:0])
	}
}
