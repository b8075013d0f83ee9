package rpcparse

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"
)

// verifiers are the ways a PDU may end, by name.
var verifiers = map[string]Verifier{
	"none":   {},
	"pad 16": {Type: AuthNTLM, Level: LevelPrivacy, PadLength: 12, ContextID: 79231, Token: bytes.Repeat([]byte{7}, 16)},
	"pad 4":  {Type: AuthKerberos, Level: LevelIntegrity, PadLength: 3, Reserved: 9, ContextID: 1, Token: bytes.Repeat([]byte{8}, 28)},
	"no pad": {Type: AuthSPNEGO, Level: LevelConnect, Token: []byte{1}},
}

var (
	sampleInterface = SyntaxID{UUID: featurelessUUID, Version: 0x00020001}
	featurelessUUID = UUID{0x83, 0xaf, 0xe1, 0x1f, 0x5d, 0xc9, 0x11, 0x91, 0xa4, 0x08, 0x00, 0x2b, 0x14, 0xa0, 0xfa, 0x03}
	sampleContexts  = NewContextList(
		ContextElement{ID: 0, Abstract: sampleInterface, Transfers: NewSyntaxList(SyntaxNDR, SyntaxNDR64)},
		ContextElement{ID: 0x1234, Abstract: SyntaxNDR},
		ContextElement{ID: 2, Abstract: sampleInterface, Transfers: NewSyntaxList(FeatureSyntax(3))})
	sampleResults = NewResultList(
		ContextResult{Result: ResultAcceptance, Transfer: SyntaxNDR64},
		ContextResult{Result: ResultProviderRejection, Reason: ReasonTransferSyntaxNotSupported},
		ContextResult{Result: ResultNegotiateAck, Reason: 3})
)

// TestEveryPDURoundTripsAndFailsAtEveryTruncation runs each type in both byte
// orders with each verifier through the checks that all types share.
func TestEveryPDURoundTripsAndFailsAtEveryTruncation(t *testing.T) {
	for name, v := range verifiers {
		for _, drep := range []Drep{DrepLittleEndian, DrepBigEndian, {0x11, 1, 0, 0}} {
			t.Run(name+" "+drepName(drep), func(t *testing.T) {
				h := Header{Flags: FlagsWhole | FlagConcMpx, Drep: drep, CallID: 0x01020304}
				checkCalls(t, h, v)
				checkHandshakes(t, h, v)
				checkOthers(t, h, v)
			})
		}
	}
}

func drepName(d Drep) string {
	if d.Order() == BigEndian {
		return "big-endian"
	}
	return "little-endian"
}

func checkCalls(t *testing.T, h Header, v Verifier) {
	has := v.Token != nil
	stub := []byte("a stub of 21 bytes ..")
	requestCodec.check(t, Request{Header: h, AllocHint: 21, ContextID: 258, Opnum: 1, Stub: stub, Verifier: v, HasVerifier: has})
	requestCodec.check(t, Request{Header: h, HasObject: true, Object: featurelessUUID, Stub: stub, Verifier: v, HasVerifier: has})
	requestCodec.check(t, Request{Header: h, Verifier: v, HasVerifier: has})
	responseCodec.check(t, Response{Header: h, AllocHint: 21, ContextID: 2, CancelCount: 3, Reserved: 4, Stub: stub, Verifier: v, HasVerifier: has})
	faultCodec.check(t, Fault{Header: h, AllocHint: 32, ContextID: 1, FaultFlags: FaultExtended, Status: StatusContextMismatch, Extended: stub, Verifier: v, HasVerifier: has})
}

func checkHandshakes(t *testing.T, h Header, v Verifier) {
	has := v.Token != nil
	for _, h.Type = range bindCodec.types {
		bindCodec.check(t, Bind{Header: h, MaxXmitFrag: 5840, MaxRecvFrag: 4280, AssocGroupID: 77, Contexts: sampleContexts, Verifier: v, HasVerifier: has})
		bindCodec.check(t, Bind{Header: h, Verifier: v, HasVerifier: has})
	}
	for _, h.Type = range bindAckCodec.types {
		for _, addr := range []string{"", "135\x00", "49152\x00", "x"} {
			bindAckCodec.check(t, BindAck{Header: h, MaxXmitFrag: 5840, AssocGroupID: 77, SecondaryAddress: []byte(addr), Results: sampleResults, Verifier: v, HasVerifier: has})
		}
		bindAckCodec.check(t, BindAck{Header: h, Verifier: v, HasVerifier: has})
	}
	bindNakCodec.check(t, BindNak{Header: h, Reason: NakInvalidChecksum, Versions: []byte{5, 0, 5, 1}, Rest: []byte{0}, Verifier: v, HasVerifier: has})
	bindNakCodec.check(t, BindNak{Header: h, Verifier: v, HasVerifier: has})
	if has {
		auth3Codec.check(t, Auth3{Header: h, Pad: [4]byte{1, 2, 3, 4}, Verifier: v, HasVerifier: true})
	}
}

func checkOthers(t *testing.T, h Header, v Verifier) {
	has := v.Token != nil
	rest := []byte("padding!")
	shutdownCodec.check(t, Shutdown{Header: h, Verifier: v, HasVerifier: has})
	coCancelCodec.check(t, CoCancel{Header: h, Rest: rest, Verifier: v, HasVerifier: has})
	orphanedCodec.check(t, Orphaned{Header: h, Verifier: v, HasVerifier: has})
}

func TestRandomHandshakesRoundTrip(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		h := Header{
			Type:   PTypeBind,
			Flags:  Flags(rapid.Uint8().Draw(rt, "flags")),
			Drep:   DrepOf(Order(rapid.Bool().Draw(rt, "big-endian"))),
			CallID: rapid.Uint32().Draw(rt, "call id"),
		}
		syntax := rapid.Custom(func(rt *rapid.T) SyntaxID {
			return SyntaxID{UUID: UUID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(rt, "uuid")), Version: rapid.Uint32().Draw(rt, "version")}
		})
		element := rapid.Custom(func(rt *rapid.T) ContextElement {
			return ContextElement{
				ID:        rapid.Uint16().Draw(rt, "id"),
				Abstract:  syntax.Draw(rt, "abstract"),
				Transfers: NewSyntaxList(rapid.SliceOfN(syntax, 0, 4).Draw(rt, "transfers")...),
			}
		})
		elements := rapid.SliceOfN(element, 0, 5).Draw(rt, "contexts")
		pdu, err := AppendBind(nil, Bind{Header: h, Contexts: NewContextList(elements...)})
		if err != nil {
			rt.Fatal(err)
		}
		x, err := ParseBind(pdu)
		if err != nil || x.Contexts.Len() != len(elements) {
			rt.Fatalf("%d contexts, %v", x.Contexts.Len(), err)
		}
		for i, e := range x.Contexts.All() {
			sameElement(rt, e, elements[i])
		}
	})
}

func sameElement(rt *rapid.T, got, want ContextElement) {
	if got.ID != want.ID || got.Abstract != want.Abstract || got.Transfers.Len() != want.Transfers.Len() {
		rt.Fatalf("element %+v, expected %+v", got, want)
	}
	for i, s := range got.Transfers.All() {
		if s != want.Transfers.At(i) {
			rt.Fatalf("transfer %d is %v, expected %v", i, s, want.Transfers.At(i))
		}
	}
}

func TestAppendingFailsRatherThanWriteALengthThatDoesNotFit(t *testing.T) {
	h := Header{Flags: FlagsWhole, Drep: DrepLittleEndian}
	huge := make([]byte, MaxPDU+1)
	token := Verifier{Token: huge}
	bind, ack := h, h
	bind.Type, ack.Type = PTypeBind, PTypeBindAck
	var manyContexts [256]ContextElement
	var manyResults [256]ContextResult
	var manySyntaxes [256]SyntaxID
	dst := []byte("before")
	for name, try := range map[string]func() ([]byte, error){
		"stub one too long": func() ([]byte, error) { return AppendRequest(dst, Request{Header: h, Stub: huge[:MaxPDU-23]}) },
		"request token": func() ([]byte, error) {
			return AppendRequest(dst, Request{Header: h, Verifier: token, HasVerifier: true})
		},
		"response":       func() ([]byte, error) { return AppendResponse(dst, Response{Header: h, Stub: huge}) },
		"fault":          func() ([]byte, error) { return AppendFault(dst, Fault{Header: h, Extended: huge}) },
		"auth3":          func() ([]byte, error) { return AppendAuth3(dst, Auth3{Header: h, Verifier: token, HasVerifier: true}) },
		"co_cancel":      func() ([]byte, error) { return AppendCoCancel(dst, CoCancel{Header: h, Rest: huge}) },
		"bind_nak":       func() ([]byte, error) { return AppendBindNak(dst, BindNak{Header: h, Rest: huge}) },
		"nak versions":   func() ([]byte, error) { return AppendBindNak(dst, BindNak{Header: h, Versions: huge[:512]}) },
		"half a version": func() ([]byte, error) { return AppendBindNak(dst, BindNak{Header: h, Versions: huge[:1]}) },
		"bind token":     func() ([]byte, error) { return AppendBind(dst, Bind{Header: bind, Verifier: token, HasVerifier: true}) },
		"contexts": func() ([]byte, error) {
			return AppendBind(dst, Bind{Header: bind, Contexts: NewContextList(manyContexts[:]...)})
		},
		"transfers": func() ([]byte, error) {
			list := NewContextList(ContextElement{Transfers: NewSyntaxList(manySyntaxes[:]...)})
			return AppendBind(dst, Bind{Header: bind, Contexts: list})
		},
		"address": func() ([]byte, error) { return AppendBindAck(dst, BindAck{Header: ack, SecondaryAddress: huge}) },
		"results": func() ([]byte, error) {
			return AppendBindAck(dst, BindAck{Header: ack, Results: NewResultList(manyResults[:]...)})
		},
	} {
		if b, err := try(); ClassOf(err) != ClassLimit || string(b) != "before" {
			t.Errorf("%s: %d bytes, error %v", name, len(b), err)
		}
	}
	if b, err := AppendRequest(nil, Request{Header: h, Stub: huge[:MaxPDU-24]}); err != nil || len(b) != MaxPDU {
		t.Errorf("the largest request: %d bytes, %v", len(b), err)
	}
}

func TestAppendingRefusesWhatCouldNotBeReadBack(t *testing.T) {
	h := Header{Type: PTypeRequest, Drep: DrepLittleEndian}
	for name, try := range map[string]func() ([]byte, error){
		"verifier without token": func() ([]byte, error) { return AppendRequest(nil, Request{Header: h, HasVerifier: true}) },
		"auth3 without verifier": func() ([]byte, error) { return AppendAuth3(nil, Auth3{Header: h}) },
		"bind of another type":   func() ([]byte, error) { return AppendBind(nil, Bind{Header: h}) },
		"ack of another type":    func() ([]byte, error) { return AppendBindAck(nil, BindAck{Header: h}) },
	} {
		if b, err := try(); ClassOf(err) != ClassInvalid || len(b) != 0 {
			t.Errorf("%s: %x, error %v", name, b, err)
		}
	}
}

func TestObjectFlagFollowsTheObject(t *testing.T) {
	with := Request{Header: Header{Flags: FlagsWhole, Drep: DrepLittleEndian}, HasObject: true}
	without := Request{Header: Header{Flags: FlagsWhole | FlagObjectUUID, Drep: DrepLittleEndian}}
	for _, x := range []Request{with, without} {
		pdu, err := AppendRequest(nil, x)
		if err != nil {
			t.Fatal(err)
		}
		y, err := ParseRequest(pdu)
		if err != nil || y.HasObject != x.HasObject || y.StubOffset != len(pdu) {
			t.Errorf("object %v became %+v, %v", x.HasObject, y, err)
		}
	}
}

// TestViewsCannotGrowOverTheirNeighbours: appending to a slice of a view must
// not write into the PDU behind it.
func TestViewsCannotGrowOverTheirNeighbours(t *testing.T) {
	pdu := golden(t, "NspiUnbind request with a dummy verifier")
	x, err := ParseRequest(pdu)
	if err != nil {
		t.Fatal(err)
	}
	if cap(x.Stub) != len(x.Stub) || cap(x.Verifier.Token) != len(x.Verifier.Token) {
		t.Error("a view's slice reaches beyond its bytes")
	}
	x.Stub[4] = 0xee
	if pdu[28] != 0xee {
		t.Error("a view is a copy")
	}
}
