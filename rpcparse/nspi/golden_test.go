package nspi

import (
	"bytes"
	"testing"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

// Stubs of real traffic, quoted from single PDUs. The captures are
//
//	CAP-EX  realjimmy/sample-captures nspi.pcap, a real Exchange and MAPI client
//	CAP-OL  zeek/zeek testing/btest/Traces/dce-rpc/mapi.pcap, Outlook and Exchange
//	CAP-IMP impacket 0.10 against Samba's RPC server with a test plug-in
//	CAP-SMB Samba's client against the same
const (
	// CAP-EX frames 7 and 11: the first, unauthenticated attempt and its repetition.
	exBindRequest = `00000000 | 00000000 ffffffff 00000000 00000000 00000000 00000000 e4040000 0c040000 09040000 |
		c827ce00 | bc21ce00000000001897597c01000000`
	// CAP-EX frame 8: refused, with the client's GUID.
	exBindRefused = `ac341200 | bc21ce00000000001897597c01000000 | 00000000 00000000000000000000000000000000 | 11010480`
	// CAP-EX frame 12.
	exBindGranted = `ac341200 | 130e941bd3142a4e9711e06a2def5dfd | 00000000 65276cbdf4d7c848985b432216839b6c | 00000000`
	// CAP-EX frames 24 and 25.
	exUnbindRequest  = `00000000 65276cbdf4d7c848985b432216839b6c | 00000000`
	exUnbindResponse = `00000000 00000000000000000000000000000000 | 01000000`
	// CAP-OL frames 410 and 418.
	olBindRequest = `00000000 | 00000000 c8d5f677 00000000 00000000 00000000 00000900 e4040000 09040000 09040000 |
		a0fe0a01 | 18b60ce198f105e103001f002c4c0df6`
	// CAP-OL frame 411.
	olBindRefused = `c4e51700 | 18b60ce198f105e103001f002c4c0df6 | 00000000 00000000000000000000000000000000 | 11010480`
	// CAP-OL frame 489, answered at level CONNECT.
	olBindGranted = `447c1c00 | 3abe1495d10dd211a093080009fb6454 | 00000000 ef074b401cf2094ba8180365edb66064 | 00000000`
	// CAP-IMP impacket_nspi_ntlm_integrity.pcap frame 22.
	impBindRequest = `00000000 | 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 254f0000 |
		00000000`
	// CAP-SMB nspi_ntlm_sign_ntlm.pcap frame 22: the verification trailer, 60
	// bytes: bitmask_1, then pcontext with END.
	smbTrailer = `8ae3137102f43671 | 0100 0400 01000000 | 0240 2800
		185accf564421a108c5908002b2f842638000000 045d888aeb1cc9119fe808002b10486002000000`
	// The 52 bytes of Windows 10 and Server 2019: pcontext with END alone.
	winTrailer = `8ae3137102f43671 | 0240 2800
		185accf564421a108c5908002b2f842638000000 33057171babe37498319b5dbef9ccc3601000000`
)

func TestRealBindRequestsAreRead(t *testing.T) {
	for _, tc := range []struct {
		name, stub string
		want       BindRequest
	}{
		{"Exchange client", exBindRequest, BindRequest{
			CodePage: 0x4e4, HasGUID: true, Referent: 0xce27c8,
			GUID: [16]byte{0xbc, 0x21, 0xce, 0, 0, 0, 0, 0, 0x18, 0x97, 0x59, 0x7c, 1, 0, 0, 0},
		}},
		{"Outlook", olBindRequest, BindRequest{
			CodePage: 0x4e4, HasGUID: true, Referent: 0x10afea0,
			GUID: [16]byte{0x18, 0xb6, 0x0c, 0xe1, 0x98, 0xf1, 0x05, 0xe1, 3, 0, 0x1f, 0, 0x2c, 0x4c, 0x0d, 0xf6},
		}},
		{"impacket without a GUID", impBindRequest, BindRequest{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			stub := unhex(t, tc.stub)
			got, err := ParseBindRequest(stub, NDR, wire.LittleEndian)
			if err != nil {
				t.Fatal(err)
			}
			tc.want.Stat = [StatSize]byte(stub[4:])
			if got != tc.want {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
			if again := AppendBindRequest(nil, got, NDR, wire.LittleEndian); !bytes.Equal(again, stub) {
				t.Errorf("appended %x, want %x", again, stub)
			}
		})
	}
}

func TestRealBindResponsesAreRead(t *testing.T) {
	for _, tc := range []struct {
		name, stub string
		code       Code
		granted    bool
		handle     string
	}{
		{"Exchange grants", exBindGranted, Success, true, "0000000065276cbdf4d7c848985b432216839b6c"},
		{"Exchange refuses with the client's GUID", exBindRefused, LogonFailed, false, "0000000000000000000000000000000000000000"},
		{"old Exchange grants", olBindGranted, Success, true, "00000000ef074b401cf2094ba8180365edb66064"},
		{"old Exchange refuses with the client's GUID", olBindRefused, LogonFailed, false, "0000000000000000000000000000000000000000"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			stub := unhex(t, tc.stub)
			got, err := ParseBindResponse(stub, NDR, wire.LittleEndian)
			if err != nil {
				t.Fatal(err)
			}
			if got.Code != tc.code || got.Granted() != tc.granted || !got.HasGUID {
				t.Errorf("got %+v, granted %v", got, got.Granted())
			}
			if want := Handle(unhex(t, tc.handle)); got.Handle != want {
				t.Errorf("handle %x, want %x", got.Handle[:], want[:])
			}
			if again := AppendBindResponse(nil, got, NDR, wire.LittleEndian); !bytes.Equal(again, stub) {
				t.Errorf("appended %x, want %x", again, stub)
			}
		})
	}
}

func TestRealUnbindIsRead(t *testing.T) {
	for _, s := range []Syntax{NDR, NDR64} { // the same bytes in both
		req, err := ParseUnbindRequest(unhex(t, exUnbindRequest), s, wire.LittleEndian)
		if err != nil {
			t.Fatal(err)
		}
		granted, err := ParseBindResponse(unhex(t, exBindGranted), NDR, wire.LittleEndian)
		if err != nil {
			t.Fatal(err)
		}
		if req.Handle != granted.Handle {
			t.Errorf("%v: unbind of %x, bound was %x", s, req.Handle[:], granted.Handle[:])
		}
		resp, err := ParseUnbindResponse(unhex(t, exUnbindResponse), s, wire.LittleEndian)
		if err != nil {
			t.Fatal(err)
		}
		if !resp.Handle.IsZero() || resp.Code != UnbindSuccess {
			t.Errorf("%v: got %+v", s, resp)
		}
	}
}

func TestRefusalHasTheBytesOfItsForm(t *testing.T) {
	req, err := ParseBindRequest(unhex(t, exBindRequest), NDR, wire.LittleEndian)
	if err != nil {
		t.Fatal(err)
	}
	const zeroHandle = "0000000000000000000000000000000000000000"
	for _, tc := range []struct {
		name   string
		syntax Syntax
		form   FailureForm
		req    BindRequest
		want   string
	}{
		{"ndr, as specified", NDR, FormSpec, req, "00000000" + zeroHandle + "11010480"},
		{"ndr64, as specified", NDR64, FormSpec, req, "0000000000000000" + zeroHandle + "11010480"},
		{"ndr, as Exchange does", NDR, FormEcho, req, "00000200 bc21ce00000000001897597c01000000" + zeroHandle + "11010480"},
		{"ndr64, as Exchange does", NDR64, FormEcho, req, "0000020000000000 bc21ce00000000001897597c01000000" + zeroHandle + "11010480"},
		{"nothing to echo", NDR, FormEcho, BindRequest{}, "00000000" + zeroHandle + "11010480"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := AppendBindFailure([]byte{0xaa}, tc.syntax, tc.form, tc.req)
			if want := append([]byte{0xaa}, unhex(t, tc.want)...); !bytes.Equal(got, want) {
				t.Fatalf("got %x, want %x", got, want)
			}
			answer, err := ParseBindResponse(got[1:], tc.syntax, wire.LittleEndian)
			if err != nil || answer.Granted() || answer.Code != LogonFailed {
				t.Errorf("reads as %+v, %v", answer, err)
			}
		})
	}
}

// Whatever shape a server gives to a success, it is one only with code and handle.
func TestGrantNeedsSuccessAndAHandle(t *testing.T) {
	h := Handle{4: 1}
	for _, tc := range []struct {
		r    BindResponse
		want bool
	}{
		{BindResponse{Handle: h}, true},
		{BindResponse{Handle: h, HasGUID: true}, true},
		{BindResponse{}, false},
		{BindResponse{Handle: h, Code: LogonFailed}, false},
		{BindResponse{Handle: h, Code: UnbindSuccess}, false},
	} {
		if got := tc.r.Granted(); got != tc.want {
			t.Errorf("%+v: granted %v, want %v", tc.r, got, tc.want)
		}
	}
}
