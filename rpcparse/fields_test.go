package rpcparse

import (
	"encoding/hex"
	"slices"
	"testing"
)

func TestRequestFields(t *testing.T) {
	x, err := ParseRequest(golden(t, "NspiUnbind request with a dummy verifier"))
	if err != nil {
		t.Fatal(err)
	}
	if x.CallID != 8 || x.AllocHint != 24 || x.ContextID != 0 || x.Opnum != 1 || x.HasObject || !x.First() || !x.Last() {
		t.Errorf("%+v", x)
	}
	if x.StubOffset != 24 || hex.EncodeToString(x.Stub) != "0000000065276cbdf4d7c848985b432216839b6c00000000" {
		t.Errorf("stub %x at %d", x.Stub, x.StubOffset)
	}
	v := x.Verifier
	if !x.HasVerifier || v.Type != AuthNTLM || v.Level != LevelConnect || v.PadLength != 8 || v.ContextID != 0x000a0890 || v.Offset != 56 || len(v.Token) != 16 || v.Token[0] != 1 {
		t.Errorf("verifier %+v", v)
	}
}

func TestRequestObjectMovesTheStub(t *testing.T) {
	x, err := ParseRequest(golden(t, "request with an object UUID"))
	if err != nil {
		t.Fatal(err)
	}
	if x.StubOffset != 40 || len(x.Stub) != 20 || x.Opnum != 3 || x.ContextID != 2 || x.Object.String() != "ccd8c074-d0e5-4a40-92b4-d074faa6ba28" {
		t.Errorf("%+v", x)
	}
}

func TestBigEndianFields(t *testing.T) {
	x, err := ParseBind(golden(t, "big-endian bind with an NTLM negotiate"))
	if err != nil {
		t.Fatal(err)
	}
	if x.CallID != 1 || x.FragLength != 164 || x.AuthLength != 40 || x.MaxXmitFrag != 5840 || x.Contexts.Len() != 2 || x.Verifier.ContextID != 1 {
		t.Errorf("%+v", x)
	}
	for i, e := range x.Contexts.All() {
		if e.Abstract.String() != "f5cc5a18-4264-101a-8c59-08002b2f8426 v56.0" || int(e.ID) != i || e.Transfers.Len() != 1 {
			t.Errorf("context %d: %+v", i, e)
		}
		if mask, ok := IsFeatureNegotiation(e.Transfers.At(0)); ok != (i == 1) || ok && mask != 3 {
			t.Errorf("context %d: features %d, %v", i, mask, ok)
		}
	}
}

func TestResponseFields(t *testing.T) {
	x, err := ParseResponse(golden(t, "refused NspiBind response"))
	if err != nil {
		t.Fatal(err)
	}
	if x.CallID != 1 || x.AllocHint != 44 || len(x.Stub) != 44 || x.StubOffset != 24 || x.HasVerifier {
		t.Errorf("%+v", x)
	}
}

func TestBindContextsAndTheirAnswers(t *testing.T) {
	bind, err := ParseBind(golden(t, "bind of three contexts"))
	if err != nil {
		t.Fatal(err)
	}
	var offered []TransferSyntax
	for i, e := range bind.Contexts.All() {
		if int(e.ID) != i {
			t.Errorf("context %d has id %d", i, e.ID)
		}
		offered = append(offered, TransferOf(e.Transfers.At(0)))
	}
	if !slices.Equal(offered, []TransferSyntax{TransferNDR, TransferNDR64, TransferOther}) {
		t.Errorf("offered %v", offered)
	}
	ack, err := ParseBindAck(golden(t, "bind_ack of three results"))
	if err != nil {
		t.Fatal(err)
	}
	if string(ack.SecondaryAddress) != "135\x00" || ack.AssocGroupID != 0x152f || ack.MaxRecvFrag != 5840 {
		t.Errorf("%+v", ack)
	}
	want := []ContextResult{
		{Result: ResultProviderRejection, Reason: ReasonTransferSyntaxNotSupported},
		{Result: ResultAcceptance, Transfer: SyntaxNDR64},
		{Result: ResultNegotiateAck, Reason: FeatureSecurityContextMultiplexing | FeatureKeepConnectionOnOrphan},
	}
	for i, r := range ack.Results.All() {
		if r != want[i] || ack.Results.At(i) != r {
			t.Errorf("result %d: %+v", i, r)
		}
	}
}

func TestResultsAreFoundBehindAnOddAddressWithGarbagePadding(t *testing.T) {
	ack, err := ParseBindAck(golden(t, "bind_ack with an odd address"))
	if err != nil {
		t.Fatal(err)
	}
	if string(ack.SecondaryAddress) != "1026\x00" || ack.Results.Len() != 1 || ack.Results.At(0).Transfer != SyntaxNDR {
		t.Errorf("%+v", ack)
	}
}

func TestBindNakFields(t *testing.T) {
	x, err := ParseBindNak(golden(t, "bind_nak"))
	if err != nil {
		t.Fatal(err)
	}
	if x.Reason != NakInvalidChecksum || !slices.Equal(x.Versions, []byte{5, 0}) || len(x.Rest) != 3 || NakReasonName(x.Reason) != "invalid_checksum" {
		t.Errorf("%+v", x)
	}
}

func TestFaultFields(t *testing.T) {
	x, err := ParseFault(golden(t, "fault with extended error information"))
	if err != nil {
		t.Fatal(err)
	}
	if x.Status != StatusOpRangeError || x.FaultFlags != FaultExtended || len(x.Extended) != 88 {
		t.Errorf("%+v", x)
	}
}

func TestAuth3Fields(t *testing.T) {
	x, err := ParseAuth3(golden(t, "auth3"))
	if err != nil {
		t.Fatal(err)
	}
	if string(x.Pad[:]) != "    " || x.Verifier.Offset != 20 || string(x.Verifier.Token[:7]) != "NTLMSSP" || x.Verifier.ContextID != 79231 {
		t.Errorf("%+v", x)
	}
}

// TestBindWithoutContextsMayEndAtTheirCount: Samba's test-suite sends 25 bytes
// and expects the server's answer to it.
func TestBindWithoutContextsMayEndAtTheirCount(t *testing.T) {
	x, err := ParseBind(golden(t, "bind without contexts"))
	if err != nil || x.Contexts.Len() != 0 {
		t.Fatalf("%+v, %v", x, err)
	}
	for i := range x.Contexts.All() {
		t.Errorf("context %d", i)
	}
}
