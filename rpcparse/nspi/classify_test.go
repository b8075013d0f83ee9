package nspi

import (
	"fmt"
	"testing"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

func TestSealedAnswersAreReadByTheirLength(t *testing.T) {
	for _, tc := range []struct {
		syntax            Syntax
		withGUID, without []int // lengths of requests
		long, short       int   // lengths of responses
	}{
		{NDR, []int{60, 112, 120}, []int{44, 96, 104}, 44, 28},
		{NDR64, []int{64, 116, 124}, []int{48, 100, 108}, 48, 32},
	} {
		known := map[int]bool{}
		for _, n := range tc.withGUID {
			known[n] = true
			wantAnswers(t, tc.syntax, n, map[int]Answer{tc.long: Granted, tc.short: Failed})
		}
		for _, n := range tc.without {
			known[n] = true
			wantAnswers(t, tc.syntax, n, map[int]Answer{tc.long: Granted, tc.short: Granted})
		}
		for n := -1; n < 256; n++ {
			if !known[n] {
				wantAnswers(t, tc.syntax, n, nil)
			}
		}
	}
}

// wantAnswers expects want for the response lengths in it and Unknown for all others.
func wantAnswers(t *testing.T, s Syntax, request int, want map[int]Answer) {
	t.Helper()
	for response := -1; response < 256; response++ {
		if got := ClassifyBindAnswer(request, response, s); got != want[response] {
			t.Errorf("%v, request %d, response %d: %v, want %v", s, request, response, got, want[response])
		}
	}
}

// The lengths must not tell less than the bytes: a session that the server
// granted is never read as failed.
func TestGrantedSessionIsNeverClassifiedAsFailed(t *testing.T) {
	for _, e := range encodings {
		for _, guid := range []bool{true, false} {
			for _, trailer := range []int{0, 52, 60} {
				req := BindRequest{HasGUID: guid}.Len(e.syntax) + trailer
				resp := len(AppendBindResponse(nil, BindResponse{HasGUID: guid}, e.syntax, e.order))
				if got := ClassifyBindAnswer(req, resp, e.syntax); got != Granted {
					t.Errorf("%s, guid %v, trailer %d: %v", e.name, guid, trailer, got)
				}
			}
		}
	}
}

func TestNamesAreThoseThatPeopleLookFor(t *testing.T) {
	for _, tc := range []struct {
		got  fmt.Stringer
		want string
	}{
		{LogonFailed, "MAPI_E_LOGON_FAILED"},
		{Success, "SUCCESS"},
		{UnbindSuccess, "UNBIND_SUCCESS"},
		{Code(0x80040999), "0x80040999"},
		{NDR, "ndr"}, {NDR64, "ndr64"}, {Syntax(9), "syntax(9)"},
		{FormSpec, "spec"}, {FormEcho, "echo"}, {FailureForm(9), "form(9)"},
		{Granted, "granted"}, {Failed, "failed"}, {Unknown, "unknown"}, {Answer(9), "answer(9)"},
	} {
		if got := tc.got.String(); got != tc.want {
			t.Errorf("%q, want %q", got, tc.want)
		}
	}
	for opnum, want := range map[uint16]string{
		OpnumBind: "NspiBind", OpnumUnbind: "NspiUnbind", 7: "NspiDNToMId", 20: "NspiResolveNamesW", 21: "opnum 21", 65535: "opnum 65535",
	} {
		if got := OpnumName(opnum); got != want {
			t.Errorf("opnum %d: %q, want %q", opnum, got, want)
		}
	}
	if got := fmt.Sprintf("%x", Interface.Append(nil, wire.LittleEndian)); got != "185accf564421a108c5908002b2f842638000000" {
		t.Errorf("interface %s", got) // CAP-EX
	}
}
