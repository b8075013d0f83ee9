package inspect

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/rfri"
)

// A server's answer with "gc1" in it, and the same with "gc-proxy".
func TestRenamedReferralHasTheBytesThatTheServerWouldHaveSent(t *testing.T) {
	for name, tc := range map[string]struct {
		opnum         uint16
		transfer      rpcparse.TransferSyntax
		answer, wants string
	}{
		"RfrGetNewDSA": {rfri.OpnumGetNewDSA, rpcparse.TransferNDR,
			"05000203 10000000 3800 0000 03000000 20000000 0100 0000" +
				"00000000 ac341200 b0341200 04000000 00000000 04000000 67633100 00000000",
			"05000203 10000000 4000 0000 03000000 28000000 0100 0000" +
				"00000000 ac341200 b0341200 09000000 00000000 09000000 67632d70726f787900 000000 00000000"},
		"RfrGetNewDSA, unused parameter": {rfri.OpnumGetNewDSA, rpcparse.TransferNDR,
			"05000203 10000000 4c00 0000 03000000 00000000 0100 0000" +
				"01000000 02000000 09000000 00000000 03000000 787900 00 03000000 04000000 20000000 00000000 04000000 67633100 00000000",
			"05000203 10000000 5400 0000 03000000 3c000000 0100 0000" +
				"01000000 02000000 09000000 00000000 03000000 787900 00 03000000 04000000 09000000 00000000 09000000 67632d70726f787900 000000 00000000"},
		"RfrGetFQDNFromServerDN, a cancel is pending": {rfri.OpnumGetFQDNFromServerDN, rpcparse.TransferNDR,
			"05000207 10000000 3000 0000 03000000 18000000 0100 0100" +
				"ac341200 04000000 00000000 04000000 67633100 00000000",
			"05000207 10000000 3800 0000 03000000 20000000 0100 0100" +
				"ac341200 09000000 00000000 09000000 67632d70726f787900 000000 00000000"},
		"big-endian": {rfri.OpnumGetFQDNFromServerDN, rpcparse.TransferNDR,
			"05000203 00000000 0030 0000 00000003 00000018 0001 0000" +
				"001234ac 00000004 00000000 00000004 67633100 00000000",
			"05000203 00000000 0038 0000 00000003 00000020 0001 0000" +
				"001234ac 00000009 00000000 00000009 67632d70726f787900 000000 00000000"},
		"NDR64": {rfri.OpnumGetNewDSA, rpcparse.TransferNDR64,
			"05000203 10000000 5000 0000 03000000 38000000 0100 0000" +
				"0000000000000000 ac34120000000000 b034120000000000 0400000000000000 0000000000000000 0400000000000000 67633100 00000000",
			"05000203 10000000 5800 0000 03000000 40000000 0100 0000" +
				"0000000000000000 ac34120000000000 b034120000000000 0900000000000000 0000000000000000 0900000000000000 67632d70726f787900 000000 00000000"},
		"dummy verifier": {rfri.OpnumGetFQDNFromServerDN, rpcparse.TransferNDR,
			"05000203 10000000 5000 1000 03000000 18000000 0100 0000" +
				"ac341200 04000000 00000000 04000000 67633100 00000000 eeeeeeeeeeeeeeee 0a020800 90080a00 01000000aabbccddaabbccddaabbccdd",
			"05000203 10000000 5000 1000 03000000 20000000 0100 0000" +
				"ac341200 09000000 00000000 09000000 67632d70726f787900 000000 00000000 0a020000 90080a00 01000000aabbccddaabbccddaabbccdd"},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := rpcparse.ParseResponse(unhexed(t, tc.answer))
			if err != nil {
				t.Fatal(err)
			}
			k := &rpcparse.Call{Opnum: tc.opnum, Context: &rpcparse.PresentationContext{Abstract: rfri.Interface, Transfer: tc.transfer}}
			f, err := readReferral(k, r)
			if err != nil || f.answer.Server.Text != "gc1" {
				t.Fatalf("%+v, %v", f.answer, err)
			}
			got, _, err := f.appendRenamed(nil, "gc-proxy", &protectedPDU{})
			if err != nil || hex.EncodeToString(got) != hex.EncodeToString(unhexed(t, tc.wants)) {
				t.Errorf("got  %x, %v\nwant %x", got, err, unhexed(t, tc.wants))
			}
		})
	}
}

func unhexed(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestHostsAreComparedAsDNSDoes(t *testing.T) {
	const own = "gc-proxy.corp.example"
	for name, want := range map[string]bool{
		own: true, own + ".": true, "GC-Proxy.CORP.example": true,
		"gc-proxy": false, "gc-proxy.corp.example.evil.example": false, "xgc-proxy.corp.example": false, "": false, own + "..": false,
	} {
		if sameHost(name, own) != want {
			t.Errorf("%q: %t", name, !want)
		}
	}
}
