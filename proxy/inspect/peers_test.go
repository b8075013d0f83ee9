package inspect

import (
	"math/rand/v2"
	"testing"

	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
	"github.com/nspiproxy/nspiproxy/rpcparse/rfri"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/ntlm"
	"github.com/nspiproxy/nspiproxy/rpcparse/tower"
)

// Presentation contexts of the tests.
const (
	ctxNDR uint16 = iota
	ctxNDR64
	ctxMapper
	ctxReferral
	ctxOther
)

var otherInterface = rpcparse.SyntaxID{UUID: rpcparse.UUID{1, 2, 3}, Version: 4}

// offers are what clients of the tests offer.
var offers = []rpcparse.ContextElement{
	{ID: ctxNDR, Abstract: nspi.Interface, Transfers: rpcparse.NewSyntaxList(rpcparse.SyntaxNDR)},
	{ID: ctxNDR64, Abstract: nspi.Interface, Transfers: rpcparse.NewSyntaxList(rpcparse.SyntaxNDR64)},
	{ID: ctxMapper, Abstract: tower.EPMInterface, Transfers: rpcparse.NewSyntaxList(rpcparse.SyntaxNDR)},
	{ID: ctxReferral, Abstract: rfri.Interface, Transfers: rpcparse.NewSyntaxList(rpcparse.SyntaxNDR)},
	{ID: ctxOther, Abstract: otherInterface, Transfers: rpcparse.NewSyntaxList(rpcparse.SyntaxNDR)},
}

func must(t testing.TB, b []byte, err error) []byte {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// header is that of a whole PDU.
func header(t rpcparse.PType, callID uint32) rpcparse.Header {
	return rpcparse.Header{Type: t, Flags: rpcparse.FlagsWhole, Drep: rpcparse.DrepLittleEndian, CallID: callID}
}

// secured is a security context of NTLM with both of its ends.
type secured struct {
	t      testing.TB
	id     uint32
	level  rpcparse.AuthLevel
	dummy  bool // level connect: requests and responses carry dummy verifiers
	client ntlm.Initiator
	server ntlm.Acceptor
	atEnds [2]*ntlm.Session // by who sends with it; nil before the handshake is over
}

const alicePassword = "Secret.123"

// asUser is a context of a user of the domain LAB, whose password is alicePassword.
func asUser(t testing.TB, user string, level rpcparse.AuthLevel) *secured {
	random := rand.NewChaCha8([32]byte{byte(len(user)), byte(level)})
	return &secured{t: t, id: 7, level: level,
		client: ntlm.Initiator{Domain: "LAB", User: user, Password: alicePassword, Workstation: "PC7", Rand: random},
		server: ntlm.Acceptor{Domain: "LAB", Computer: "DC1", Rand: random,
			Lookup: func(string, string) (ntlm.Hash, bool) { return ntlm.NTHash(alicePassword), true }},
	}
}

func alice(t testing.TB, level rpcparse.AuthLevel) *secured { return asUser(t, "alice", level) }

func (s *secured) verifier(token []byte) rpcparse.Verifier {
	return rpcparse.Verifier{Type: rpcparse.AuthNTLM, Level: s.level, ContextID: s.id, Token: token}
}

// negotiate is the client's first token, challenge the server's answer to it.
func (s *secured) negotiate() []byte {
	token, err := s.client.Negotiate()
	return must(s.t, token, err)
}

func (s *secured) challenge(negotiate []byte) []byte {
	token, err := s.server.Challenge(negotiate)
	return must(s.t, token, err)
}

// authenticate is the client's last token. Both ends have their keys then.
func (s *secured) authenticate(challenge []byte) []byte {
	s.t.Helper()
	token, err := s.client.Authenticate(challenge)
	if err != nil {
		s.t.Fatal(err)
	}
	accepted, err := s.server.Accept(token)
	if err != nil {
		s.t.Fatal(err)
	}
	client, err := s.client.Session()
	if err != nil {
		s.t.Fatal(err)
	}
	s.atEnds = [2]*ntlm.Session{client, accepted.Session}
	return token
}

func (s *secured) protects() bool { return s != nil && s.level > rpcparse.LevelConnect }
func (s *secured) verifies() bool { return s.protects() || s != nil && s.dummy }
func (s *secured) seals() bool    { return s.level == rpcparse.LevelPrivacy }

// trailer is the verifier of a PDU with a stub of n bytes, before it is signed.
func (s *secured) trailer(n int) rpcparse.Verifier {
	token := ntlm.DummyToken
	v := s.verifier(token[:])
	v.PadLength = rpcparse.PadTo(n, 16)
	return v
}

// protect signs and seals what a side sends, in place.
func (s *secured) protect(side rpcparse.Direction, pdu []byte) []byte {
	s.t.Helper()
	if !s.protects() {
		return pdu
	}
	body, trailer := layoutOf(s.t, pdu)
	return must(s.t, pdu, s.atEnds[side].Send.Protect(pdu, body, trailer, s.seals()))
}

// open verifies and decrypts a copy of what arrived at the other side, and fails
// the test if the receiver would not accept it.
func (s *secured) open(side rpcparse.Direction, pdu []byte) []byte {
	s.t.Helper()
	pdu = append([]byte(nil), pdu...)
	if !s.protects() {
		return pdu
	}
	body, trailer := layoutOf(s.t, pdu)
	return must(s.t, pdu, s.atEnds[side.Other()].Receive.Unprotect(pdu, body, trailer, s.seals()))
}

func layoutOf(t testing.TB, pdu []byte) (body, trailer int) {
	t.Helper()
	h, err := rpcparse.ParseHeader(pdu)
	if err != nil {
		t.Fatal(err)
	}
	var x protectedPDU
	x.parse(h, pdu)
	if x.Err != nil || x.Verifier() == nil {
		t.Fatalf("%v without a verifier: %v", h.Type, x.Err)
	}
	return x.StubOffset(), x.Verifier().Offset
}

// rpc is one call, or one fragment of its request or response.
type rpc struct {
	id    uint32
	ctx   uint16
	opnum uint16
	flags rpcparse.Flags // 0: whole
	order rpcparse.Order
	sec   *secured // nil: no verifier
}

func (r rpc) header(t rpcparse.PType) rpcparse.Header {
	h := header(t, r.id)
	h.Drep = rpcparse.DrepOf(r.order)
	if r.flags != 0 {
		h.Flags = r.flags & rpcparse.FlagsWhole
	}
	return h
}

// part is r as one fragment.
func (r rpc) part(flags rpcparse.Flags) rpc {
	r.flags = flags | rpcparse.FlagDidNotExecute // any bit, so that a fragment in the middle is not 0
	return r
}

func (r rpc) request(t testing.TB, stub []byte) []byte {
	t.Helper()
	x := rpcparse.Request{Header: r.header(rpcparse.PTypeRequest), ContextID: r.ctx, Opnum: r.opnum, AllocHint: uint32(len(stub)), Stub: stub}
	if r.sec.verifies() {
		x.HasVerifier, x.Verifier = true, r.sec.trailer(len(stub))
	}
	pdu, err := rpcparse.AppendRequest(nil, x)
	must(t, pdu, err)
	if r.sec == nil {
		return pdu
	}
	return r.sec.protect(rpcparse.ClientToServer, pdu)
}

func (r rpc) response(t testing.TB, stub []byte) []byte {
	t.Helper()
	x := rpcparse.Response{Header: r.header(rpcparse.PTypeResponse), ContextID: r.ctx, AllocHint: uint32(len(stub)), Stub: stub}
	if r.sec.verifies() {
		x.HasVerifier, x.Verifier = true, r.sec.trailer(len(stub))
	}
	pdu, err := rpcparse.AppendResponse(nil, x)
	must(t, pdu, err)
	if r.sec == nil {
		return pdu
	}
	return r.sec.protect(rpcparse.ServerToClient, pdu)
}

func (r rpc) fault(t testing.TB, status uint32) []byte {
	t.Helper()
	pdu, err := rpcparse.AppendFault(nil, rpcparse.Fault{Header: r.header(rpcparse.PTypeFault), ContextID: r.ctx, Status: status})
	return must(t, pdu, err)
}

func (r rpc) syntax() nspi.Syntax {
	if r.ctx == ctxNDR64 {
		return nspi.NDR64
	}
	return nspi.NDR
}

// Stubs of NspiBind and NspiUnbind.

var clientGUID = [16]byte{0xc, 0xc, 0xc}

func (r rpc) bindStub() []byte {
	return nspi.AppendBindRequest(nil, nspi.BindRequest{HasGUID: true, Referent: 1, GUID: clientGUID}, r.syntax(), r.order)
}

func (r rpc) grantedStub(h nspi.Handle) []byte {
	return nspi.AppendBindResponse(nil, nspi.BindResponse{HasGUID: true, Referent: 1, Handle: h}, r.syntax(), r.order)
}

func (r rpc) failedStub(code nspi.Code) []byte {
	return nspi.AppendBindResponse(nil, nspi.BindResponse{Code: code}, r.syntax(), r.order)
}

func (r rpc) unbindStub(h nspi.Handle) []byte {
	return nspi.AppendUnbindRequest(nil, nspi.UnbindRequest{Handle: h}, r.syntax(), r.order)
}

func (r rpc) unboundStub(code nspi.Code) []byte {
	return nspi.AppendUnbindResponse(nil, nspi.UnbindResponse{Code: code}, r.syntax(), r.order)
}

// handle is a context handle of a domain controller.
func handle(n byte) nspi.Handle { return nspi.Handle{4: 1, 19: n} }

// bindPDU offers everything, in an association; 0: a new one.
func bindPDU(t testing.TB, ptype rpcparse.PType, callID, group uint32, v *rpcparse.Verifier) []byte {
	t.Helper()
	b := rpcparse.Bind{Header: header(ptype, callID), MaxXmitFrag: 5840, MaxRecvFrag: 5840, AssocGroupID: group,
		Contexts: rpcparse.NewContextList(offers...)}
	if v != nil {
		b.HasVerifier, b.Verifier = true, *v
	}
	pdu, err := rpcparse.AppendBind(nil, b)
	return must(t, pdu, err)
}

// ackPDU accepts everything.
func ackPDU(t testing.TB, ptype rpcparse.PType, callID, group uint32, v *rpcparse.Verifier) []byte {
	t.Helper()
	results := make([]rpcparse.ContextResult, len(offers))
	for i := range results {
		results[i].Transfer = rpcparse.SyntaxNDR
	}
	results[ctxNDR64].Transfer = rpcparse.SyntaxNDR64
	a := rpcparse.BindAck{Header: header(ptype, callID), MaxXmitFrag: 5840, MaxRecvFrag: 4280, AssocGroupID: group,
		SecondaryAddress: []byte("49152\x00"), Results: rpcparse.NewResultList(results...)}
	if v != nil {
		a.HasVerifier, a.Verifier = true, *v
	}
	pdu, err := rpcparse.AppendBindAck(nil, a)
	return must(t, pdu, err)
}

func auth3PDU(t testing.TB, callID uint32, v rpcparse.Verifier) []byte {
	t.Helper()
	pdu, err := rpcparse.AppendAuth3(nil, rpcparse.Auth3{Header: header(rpcparse.PTypeAuth3, callID), HasVerifier: true, Verifier: v})
	return must(t, pdu, err)
}

// bound makes the handshake of a connection in a new association, whose id it
// returns, with a security context if sec is not nil.
func (d *driver) bound(sec *secured) (group uint32) {
	d.site.t.Helper()
	d.site.groups++
	d.joined(0, 0x1000+d.site.groups, sec)
	return 0x1000 + d.site.groups
}

// joined makes the handshake of a connection that asks for one association and
// is given another by the server. It must pass byte for byte.
func (d *driver) joined(ask, given uint32, sec *secured) {
	d.site.t.Helper()
	d.handshake(rpcparse.PTypeBind, rpcparse.PTypeBindAck, ask, given, sec)
}

// altered adds a security context to a connection.
func (d *driver) altered(sec *secured) {
	d.site.t.Helper()
	d.handshake(rpcparse.PTypeAlterContext, rpcparse.PTypeAlterContextResp, 0, 0, sec)
}

func (d *driver) handshake(asks, answers rpcparse.PType, ask, given uint32, sec *secured) {
	t := d.site.t
	t.Helper()
	if sec == nil {
		bind, ack := bindPDU(t, asks, 1, ask, nil), ackPDU(t, answers, 1, given, nil)
		d.client(bind).server(ack)
		d.wantAtServer(bind)
		d.wantAtClient(ack)
		return
	}
	negotiate := sec.negotiate()
	v := sec.verifier(negotiate)
	bind := bindPDU(t, asks, 1, ask, &v)
	challenge := sec.challenge(negotiate)
	v = sec.verifier(challenge)
	ack := ackPDU(t, answers, 1, given, &v)
	auth3 := auth3PDU(t, 1, sec.verifier(sec.authenticate(challenge)))
	d.client(bind).server(ack).client(auth3)
	d.wantAtServer(bind, auth3)
	d.wantAtClient(ack)
}

// nspiBind is a call of NspiBind.
func nspiBind(id uint32, sec *secured) rpc { return rpc{id: id, opnum: nspi.OpnumBind, sec: sec} }

// granted makes a whole NspiBind, which must be granted, and pass byte for byte
// unless the proxy protects PDUs again.
func (d *driver) granted(r rpc, h nspi.Handle) {
	t := d.site.t
	t.Helper()
	d.exchanged(r, r.bindStub(), r.grantedStub(h))
}

// exchanged makes a whole call, which must reach both ends such that they accept
// it and read what the other one sent.
func (d *driver) exchanged(r rpc, request, response []byte) {
	t := d.site.t
	t.Helper()
	d.client(r.request(t, request))
	got := d.atServer()
	if len(got) != 1 {
		t.Fatalf("call %d: %d PDUs reach the server, closed: %v; the client has %x", r.id, len(got), d.err, d.atClient())
	}
	if r.sec != nil {
		got[0] = r.sec.open(rpcparse.ClientToServer, got[0])
	}
	if x, err := rpcparse.ParseRequest(got[0]); err != nil || string(x.Stub) != string(request) {
		t.Errorf("call %d arrives as %x, %v, want %x", r.id, x.Stub, err, request)
	}
	d.server(r.response(t, response))
	got = d.atClient()
	if len(got) != 1 {
		t.Fatalf("call %d: %d PDUs reach the client, closed: %v", r.id, len(got), d.err)
	}
	if r.sec != nil {
		got[0] = r.sec.open(rpcparse.ServerToClient, got[0])
	}
	if x, err := rpcparse.ParseResponse(got[0]); err != nil || string(x.Stub) != string(response) {
		t.Errorf("the answer to call %d arrives as %x, %v, want %x", r.id, x.Stub, err, response)
	}
}

// refused sends an NspiBind, which must not reach the server, and returns the one
// PDU that the client gets.
func (d *driver) refused(r rpc) []byte {
	t := d.site.t
	t.Helper()
	d.client(r.request(t, r.bindStub()))
	d.wantAtServer()
	got := d.atClient()
	if len(got) != 1 {
		t.Fatalf("call %d: the client has %d PDUs, closed: %v", r.id, len(got), d.err)
	}
	return got[0]
}

// wantLogonFailed checks that a PDU is the refusal of r, as its client reads it.
func wantLogonFailed(t testing.TB, r rpc, pdu []byte) nspi.BindResponse {
	t.Helper()
	if r.sec != nil {
		pdu = r.sec.open(rpcparse.ServerToClient, pdu)
	}
	x, err := rpcparse.ParseResponse(pdu)
	if err != nil || x.CallID != r.id || x.ContextID != r.ctx {
		t.Fatalf("call %d of context %d is answered with %x, %v", r.id, r.ctx, pdu, err)
	}
	b, err := nspi.ParseBindResponse(x.Stub, r.syntax(), x.Order())
	if err != nil || b.Code != nspi.LogonFailed || !b.Handle.IsZero() {
		t.Errorf("NspiBind %d is answered with %+v, %v", r.id, b, err)
	}
	return b
}

// wantFault checks that a PDU is a fault of that call.
func wantFault(t testing.TB, callID, status uint32, pdu []byte) {
	t.Helper()
	f, err := rpcparse.ParseFault(pdu)
	if err != nil || f.CallID != callID || f.Status != status {
		t.Errorf("call %d is answered with %x, %v; want fault %#x", callID, pdu, err, status)
	}
}
