package inspect

import (
	"errors"
	"testing"

	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/session"
)

// elsewhere lets a connection be one of a client that may have others which do not pass
// here.
func elsewhere(_ *fakeConn, o *Options) { o.Elsewhere = true }

// offerPDU is a bind or alter_context for one interface.
func offerPDU(t *testing.T, ptype rpcparse.PType, callID, group uint32, ctx uint16, v *rpcparse.Verifier) []byte {
	t.Helper()
	b := rpcparse.Bind{Header: header(ptype, callID), MaxXmitFrag: 5840, MaxRecvFrag: 5840, AssocGroupID: group,
		Contexts: rpcparse.NewContextList(offers[ctx])}
	if v != nil {
		b.HasVerifier, b.Verifier = true, *v
	}
	pdu, err := rpcparse.AppendBind(nil, b)
	return must(t, pdu, err)
}

// takenPDU accepts the one interface.
func takenPDU(t *testing.T, ptype rpcparse.PType, callID, group uint32, v *rpcparse.Verifier) []byte {
	t.Helper()
	a := rpcparse.BindAck{Header: header(ptype, callID), MaxXmitFrag: 5840, MaxRecvFrag: 5840, AssocGroupID: group,
		SecondaryAddress: []byte("49152\x00"), Results: rpcparse.NewResultList(rpcparse.ContextResult{Transfer: rpcparse.SyntaxNDR})}
	if v != nil {
		a.HasVerifier, a.Verifier = true, *v
	}
	pdu, err := rpcparse.AppendBindAck(nil, a)
	return must(t, pdu, err)
}

const unseenGroup = 0x5005

// A machine's secure channel, and all that is not the address book, must not depend on
// what the proxy has seen of an association.
func TestAssociationMadePastTheProxyIsJoinedByOtherInterfaces(t *testing.T) {
	s := newSite(t)
	d := s.connect(elsewhere)
	bind := offerPDU(t, rpcparse.PTypeBind, 1, unseenGroup, ctxOther, nil)
	ack := takenPDU(t, rpcparse.PTypeBindAck, 1, unseenGroup, nil)
	d.client(bind).server(ack)
	d.wantAtServer(bind)
	d.wantAtClient(ack)
	d.exchanged(rpc{id: 2, ctx: ctxOther}, make([]byte, 16), make([]byte, 16))
	if all := eventsOf[AssociationRefused](s.events); len(all) != 0 {
		t.Errorf("reported %+v", all)
	}
}

func TestDomainControllerJudgesAnUnknownAssociationOfOtherInterfaces(t *testing.T) {
	s := newSite(t)
	d := s.connect(elsewhere)
	bind := offerPDU(t, rpcparse.PTypeBind, 1, unseenGroup, ctxOther, nil)
	nak, err := appendBindNak(nil, 1, rpcparse.NakNotSpecified)
	d.client(bind).server(must(t, nak, err))
	d.wantAtServer(bind)
	d.wantAtClient(nak)
	d.bound(nil) // a new one, and with the address book
	d.granted(nspiBind(2, nil), handle(1))
	s.wantSlots(1, 0, 0, 0)
}

// Its sessions would live on with connections that the proxy does not see.
func TestAddressBookIsNotOpenedInAnAssociationMadePastTheProxy(t *testing.T) {
	s := newSite(t)
	d := s.connect(elsewhere)
	bind := offerPDU(t, rpcparse.PTypeBind, 1, unseenGroup, ctxOther, nil)
	d.client(bind).server(takenPDU(t, rpcparse.PTypeBindAck, 1, unseenGroup, nil))
	d.atServer()
	d.atClient()

	d.client(offerPDU(t, rpcparse.PTypeAlterContext, 2, 0, ctxNDR, nil))
	d.wantAtServer()
	got := d.atClient()
	if len(got) != 1 {
		t.Fatalf("the client has %d PDUs", len(got))
	}
	wantFault(t, 2, rpcparse.StatusAccessDenied, got[0])
	d.wantOpen()
	d.exchanged(rpc{id: 3, ctx: ctxOther}, make([]byte, 16), make([]byte, 16))

	second := s.connect(elsewhere)
	second.client(offerPDU(t, rpcparse.PTypeBind, 1, unseenGroup, ctxNDR, nil))
	second.wantAtServer()
	got = second.atClient()
	if len(got) != 1 {
		t.Fatalf("the client has %d PDUs", len(got))
	}
	if nak, err := rpcparse.ParseBindNak(got[0]); err != nil || nak.Reason != rpcparse.NakNotSpecified {
		t.Errorf("the answer is %+v, %v", nak, err)
	}
	all := eventsOf[AssociationRefused](s.events)
	if len(all) != 2 || !errors.Is(all[0].Err, session.ErrUnknownAssociation) || all[0].ID != unseenGroup {
		t.Errorf("reported %+v", all)
	}
}

func TestAddressBookIsOpenedBesideOtherInterfacesOfAnAssociationThatIsSeen(t *testing.T) {
	s := newSite(t)
	one := s.connect(elsewhere)
	bind := offerPDU(t, rpcparse.PTypeBind, 1, 0, ctxOther, nil)
	one.client(bind).server(takenPDU(t, rpcparse.PTypeBindAck, 1, unseenGroup, nil))
	alter, answer := offerPDU(t, rpcparse.PTypeAlterContext, 2, 0, ctxNDR, nil), takenPDU(t, rpcparse.PTypeAlterContextResp, 2, 0, nil)
	one.client(alter).server(answer)
	one.wantAtServer(bind, alter)
	one.atClient()
	one.granted(nspiBind(3, nil), handle(1))
	two := s.connect(elsewhere)
	two.joined(unseenGroup, unseenGroup, nil)
	two.granted(nspiBind(2, nil), handle(2))
	s.wantSlots(2, 0, 0, 0)
}

// In front of one domain controller the proxy is all that it sees of its clients.
func TestForwardedClientJoinsOnlyWhatIsSeen(t *testing.T) {
	s := newSite(t)
	d := s.connect()
	d.client(offerPDU(t, rpcparse.PTypeBind, 1, unseenGroup, ctxOther, nil))
	d.wantAtServer()
	if got := d.atClient(); len(got) != 1 {
		t.Errorf("the client has %d PDUs", len(got))
	}
}

// A secure channel (MS-NRPC) has keys that the proxy cannot have, and is nothing that
// administrators should hear of.
func TestSecureChannelPassesUnremarked(t *testing.T) {
	s := newSite(t)
	s.deps.Keys = keyring{passwordKeys{password: alicePassword}}
	d := s.connect(elsewhere)
	v := func(token []byte) *rpcparse.Verifier {
		return &rpcparse.Verifier{Type: rpcparse.AuthNetlogon, Level: rpcparse.LevelPrivacy, ContextID: 1, Token: token}
	}
	negotiate := append([]byte{0, 0, 0, 0, 3, 0, 0, 0}, "LAB\x00MEMBER\x00"...)          // NL_AUTH_MESSAGE
	agreed := []byte{1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}                                 // its answer
	signature := append([]byte{0x13, 0, 0x1a, 0, 0xff, 0xff, 0, 0}, make([]byte, 48)...) // NL_AUTH_SHA2_SIGNATURE
	bind := offerPDU(t, rpcparse.PTypeBind, 1, 0, ctxOther, v(negotiate))
	ack := takenPDU(t, rpcparse.PTypeBindAck, 1, 0x77, v(agreed))
	d.client(bind).server(ack)
	d.wantAtServer(bind)
	d.wantAtClient(ack)
	for id := uint32(2); id < 5; id++ {
		h := header(rpcparse.PTypeRequest, id)
		request, err := rpcparse.AppendRequest(nil, rpcparse.Request{Header: h, ContextID: ctxOther, Opnum: 39, Stub: make([]byte, 32), HasVerifier: true, Verifier: *v(signature)})
		must(t, request, err)
		h.Type = rpcparse.PTypeResponse
		response, err := rpcparse.AppendResponse(nil, rpcparse.Response{Header: h, ContextID: ctxOther, Stub: make([]byte, 32), HasVerifier: true, Verifier: *v(signature)})
		must(t, response, err)
		d.client(request).server(response)
		d.wantAtServer(request)
		d.wantAtClient(response)
	}
	if len(s.events) != 0 {
		t.Errorf("reported %+v", s.events)
	}
}
