package rpcparse

import (
	"encoding/hex"
	"testing"
)

func TestFeatureNegotiationIsASyntaxWithAMaskInIt(t *testing.T) {
	s := FeatureSyntax(FeatureSecurityContextMultiplexing | FeatureKeepConnectionOnOrphan)
	if got := hex.EncodeToString(s.Append(nil, LittleEndian)); got != "2c1cb76c12984045030000000000000001000000" {
		t.Errorf("on the wire %s", got)
	}
	if mask, ok := IsFeatureNegotiation(s); !ok || mask != 3 {
		t.Errorf("mask %d, %v", mask, ok)
	}
	for _, other := range []SyntaxID{{}, SyntaxNDR, SyntaxNDR64, {UUID: s.UUID, Version: 2}} {
		if _, ok := IsFeatureNegotiation(other); ok {
			t.Errorf("%v taken for features", other)
		}
	}
}

func TestTransferOfNeedsTheVersionToo(t *testing.T) {
	for want, s := range map[TransferSyntax]SyntaxID{
		TransferNone: {}, TransferNDR: SyntaxNDR, TransferNDR64: SyntaxNDR64,
		TransferOther: {UUID: SyntaxNDR.UUID, Version: 1},
	} {
		if got := TransferOf(s); got != want {
			t.Errorf("%v is %v, expected %v", s, got, want)
		}
	}
}

func TestNegotiatedFragmentIsTheLeastTruncatedToEight(t *testing.T) {
	for _, tc := range []struct{ xmit, recv, server, want uint16 }{
		{5840, 5840, 0, 5840},
		{5840, 5840, 5840, 5840},
		{4280, 4280, 5840, 4280},
		{4287, 5840, 5840, 4280},
		{5840, 3000, 5840, 3000},
		{65535, 65535, 5840, 5840},
		{65535, 65535, 65535, 65528},
		{0, 0, 0, 2048},
		{1432, 5840, 5840, 2048},
		{5840, 5840, 100, 2048},
	} {
		if got := Negotiate(tc.xmit, tc.recv, tc.server); got != tc.want {
			t.Errorf("Negotiate(%d, %d, %d) = %d, expected %d", tc.xmit, tc.recv, tc.server, got, tc.want)
		}
	}
}
