package inspect

import (
	"encoding/hex"
	"testing"

	"github.com/nspiproxy/nspiproxy/rpcparse"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

func call(id uint32, transfer rpcparse.TransferSyntax) *rpcparse.Call {
	return &rpcparse.Call{
		ID: id, Level: rpcparse.LevelConnect,
		Context: &rpcparse.PresentationContext{Abstract: nspi.Interface, Transfer: transfer},
	}
}

func TestRefusalHasTheBytesThatTheSpecificationAsksFor(t *testing.T) {
	security := &rpcparse.SecurityContext{ID: 0x000a0890, Type: rpcparse.AuthNTLM, Level: rpcparse.LevelConnect}
	spec := Refusal{Form: nspi.FormSpec, FaultStatus: rpcparse.StatusAccessDenied}
	echo := Refusal{Form: nspi.FormEcho}
	withGUID := call(1, rpcparse.TransferNDR)
	withGUID.Bind = nspi.BindRequest{HasGUID: true, Referent: 0xce27c8, GUID: [16]byte{0xbc, 0x21, 0xce}}
	authenticated := call(3, rpcparse.TransferNDR)
	authenticated.Security = security
	wide := call(3, rpcparse.TransferNDR)
	wide.Context.ID = 0x0102

	for name, tc := range map[string]struct {
		got  func() ([]byte, error)
		want string
	}{
		"NDR": {func() ([]byte, error) { return spec.appendLogonFailed(nil, call(3, rpcparse.TransferNDR), false) },
			"05000203100000003400000003000000" + "1c00000000000000" + "00000000" + "0000000000000000000000000000000000000000" + "11010480"},
		"NDR64": {func() ([]byte, error) { return spec.appendLogonFailed(nil, call(3, rpcparse.TransferNDR64), false) },
			"05000203100000003800000003000000" + "2000000000000000" + "0000000000000000" + "0000000000000000000000000000000000000000" + "11010480"},
		"dummy verifier": {func() ([]byte, error) { return spec.appendLogonFailed(nil, authenticated, true) },
			"05000203100000005000100003000000" + "1c00000000000000" + "00000000" + "0000000000000000000000000000000000000000" + "11010480" +
				"00000000" + "0a0204009008" + "0a00" + "01000000000000000000000000000000"},
		"context id of 16 bits": {func() ([]byte, error) { return spec.appendLogonFailed(nil, wide, false) },
			"05000203100000003400000003000000" + "1c00000002000000" + "00000000" + "0000000000000000000000000000000000000000" + "11010480"},
		"fault": {func() ([]byte, error) { return spec.appendFault(nil, call(3, rpcparse.TransferNDR)) },
			"05000323100000002000000003000000" + "2000000000000000" + "0500000000000000"},
		"bind_nak": {func() ([]byte, error) { return appendBindNak(nil, 2, rpcparse.NakNotSpecified) },
			"05000d03100000001800000002000000" + "0000" + "010500" + "000000"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := tc.got()
			if err != nil {
				t.Fatal(err)
			}
			if hex.EncodeToString(got) != tc.want {
				t.Errorf("got  %x\nwant %s", got, tc.want)
			}
		})
	}

	got, err := echo.appendLogonFailed(nil, withGUID, false)
	if err != nil {
		t.Fatal(err)
	}
	r, err := rpcparse.ParseResponse(got)
	if err != nil {
		t.Fatal(err)
	}
	b, err := nspi.ParseBindResponse(r.Stub, nspi.NDR, rpcparse.LittleEndian)
	if err != nil || !b.HasGUID || b.GUID != withGUID.Bind.GUID || b.Code != nspi.LogonFailed || !b.Handle.IsZero() {
		t.Errorf("echo form: %+v, %v", b, err)
	}
}
