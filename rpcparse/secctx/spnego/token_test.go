package spnego

import (
	"bytes"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var (
	ntlmMessage = []byte("NTLMSSP\x00\x01\x00\x00\x00\x00\x00\x00\x00")
	apReq       = []byte{0x6e, 0x03, 0x30, 0x01, 0x00}
)

func TestInitRoundTrip(t *testing.T) {
	want := Token{
		Init:      true,
		MechTypes: []OID{OIDMSKerberos, OIDKerberos, OIDNegoEx, OIDNTLM},
		MechToken: bytes.Repeat([]byte{7}, 300), // a length of three octets
		ListMIC:   []byte{1, 2, 3},
	}
	b := AppendInit([]byte("kept"), want)[4:]
	got, err := Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	if !got.Init || !slices.Equal(got.MechTypes, want.MechTypes) || !bytes.Equal(got.MechToken, want.MechToken) ||
		!bytes.Equal(got.ListMIC, want.ListMIC) {
		t.Errorf("got %+v", got)
	}
	if !bytes.Equal(got.MechTypeList, AppendMechTypes(nil, want.MechTypes)) {
		t.Errorf("MechTypeList = %x", got.MechTypeList)
	}
	failsAtEveryTruncation(t, b)
}

func TestMissingBytesOfATokenAreCounted(t *testing.T) {
	whole := AppendInit(nil, Token{MechTypes: []OID{OIDKerberos}, MechToken: bytes.Repeat(apReq, 100)})
	for n := range len(whole) + 1 {
		want := len(whole) - n
		if n < 4 { // without its length
			want = 0
		}
		if got := Missing(whole[:n]); got != want {
			t.Errorf("%d of %d bytes: %d, want %d", n, len(whole), got, want)
		}
	}
	for name, token := range map[string][]byte{
		"Kerberos":                  {0x6e, 0x82, 1, 0},
		"NTLM":                      ntlmMessage,
		"a length of five octets":   {tagApplication, 0x85, 0, 0, 0, 1, 0},
		"a length beyond any":       {tagApplication, 0x84, 1, 0, 0, 0},
		"more than is announced":    append(bytes.Clone(whole), 1),
		"the smallest answer":       unhex(t, "a107 3005 a003 0a0100"),
		"nothing":                   nil,
		"an octet of a long length": {tagContext1, 0x82, 1},
	} {
		if got := Missing(token); got != 0 {
			t.Errorf("%s: %d", name, got)
		}
	}
}

func TestRespRoundTrip(t *testing.T) {
	for name, want := range map[string]Token{
		"state only": {HasState: true, State: StateAcceptIncomplete},
		"all":        {HasState: true, State: StateRequestMIC, SupportedMech: OIDNTLM, MechToken: []byte{1}, ListMIC: []byte{2}},
		"token only": {MechToken: []byte{}},
	} {
		b := AppendResp(nil, want)
		got, err := Parse(b)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got.Init || got.HasState != want.HasState || got.State != want.State || got.SupportedMech != want.SupportedMech ||
			!bytes.Equal(got.MechToken, want.MechToken) || (got.ListMIC == nil) != (want.ListMIC == nil) {
			t.Errorf("%s: got %+v, want %+v", name, got, want)
		}
		failsAtEveryTruncation(t, b)
	}
}

func failsAtEveryTruncation(t *testing.T, b []byte) {
	t.Helper()
	for i := range b {
		if _, err := Parse(b[:i]); !errors.Is(err, &wire.Error{Class: wire.ClassShort}) {
			t.Fatalf("%d of %d bytes: %v, want short", i, len(b), err)
		}
	}
}

func TestSmallestReplyOfAServer(t *testing.T) {
	got, err := Parse(unhex(t, "a107 3005 a003 0a0100"))
	if err != nil || got.Init || !got.HasState || got.State != StateAcceptCompleted || got.MechToken != nil {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestNegHintsAreNotAListMIC(t *testing.T) {
	// MS-SPNG 2.2.1: a server's negTokenInit2 with the usual hint.
	seq := appendElement(nil, tagContext0, AppendMechTypes(nil, []OID{OIDNTLM}))
	hint := appendElement(nil, 0x1b, []byte("not_defined_in_RFC4178@please_ignore"))
	seq = appendElement(seq, tagContext3, appendElement(nil, tagSequence, appendElement(nil, tagContext0, hint)))
	b := appendElement(nil, tagOID, []byte(OIDSPNEGO))
	b = appendElement(b, tagContext0, appendElement(nil, tagSequence, seq))
	got, err := Parse(appendElement(nil, tagApplication, b))
	if err != nil || got.ListMIC != nil || !slices.Equal(got.MechTypes, []OID{OIDNTLM}) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestHostileTokensAreErrors(t *testing.T) {
	nested := bytes.Repeat([]byte{0x30, 0x82, 0xff, 0xff}, 10_000)
	for _, tc := range []struct {
		name  string
		token []byte
		class wire.Class
	}{
		{"empty", nil, wire.ClassShort},
		{"another tag", unhex(t, "3003020100"), wire.ClassInvalid},
		{"indefinite length", unhex(t, "a180 3005 a003 0a0100 0000"), wire.ClassShort},
		{"length beyond the token", unhex(t, "a182ffff 3005"), wire.ClassShort},
		{"length beyond any token", unhex(t, "a183ffffff 3005"), wire.ClassInvalid},
		{"inner length beyond its container", unhex(t, "a107 3006 a003 0a0100"), wire.ClassInvalid},
		{"multi-byte tag", unhex(t, "a107 3005 bf03 0a0100"), wire.ClassInvalid},
		{"state of two bytes", unhex(t, "a108 3006 a004 0a020000"), wire.ClassInvalid},
		{"state of no bytes", unhex(t, "a106 3004 a002 0a00"), wire.ClassInvalid},
		{"not SPNEGO in the frame", appendElement(nil, tagApplication, appendElement(nil, tagOID, []byte(OIDNTLM))), wire.ClassInvalid},
		{"10,000 nested containers", append(unhex(t, "a1829c40"), nested...), wire.ClassInvalid},
	} {
		if _, err := Parse(tc.token); wire.ClassOf(err) != tc.class {
			t.Errorf("%s: %v, want class %v", tc.name, err, tc.class)
		}
	}
}

// What is said is the same, and peers read it.
func TestOtherFormsOfATokenAreRead(t *testing.T) {
	many := slices.Repeat([]OID{OIDNTLM}, 34)
	usual := AppendInit(nil, Token{MechTypes: many, MechToken: ntlmMessage})
	inner := usual[4:] // behind tag and length of the frame
	head := len(appendElement(nil, tagOID, []byte(OIDSPNEGO)))
	fields := appendOctets(nil, tagContext2, ntlmMessage)
	fields = append(fields, appendElement(nil, tagContext0, AppendMechTypes(nil, many))...)
	reversed := appendElement(nil, tagContext0, appendElement(nil, tagSequence, fields))
	size := []byte{byte(len(inner) >> 8), byte(len(inner))}
	for name, token := range map[string][]byte{
		"34 mechanisms":           usual,
		"length of three octets":  slices.Concat([]byte{tagApplication, 0x83, 0}, size, inner),
		"length of nine octets":   slices.Concat([]byte{tagApplication, 0x89, 0, 0, 0, 0, 0, 0, 0}, size, inner),
		"length of four octets":   slices.Concat([]byte{tagApplication, 0x84, 0, 0}, size, inner),
		"without the GSS frame":   inner[head:],
		"fields in another order": reversed,
		"bytes behind":            append(slices.Clone(usual), 1, 2, 3),
		"padded identifier":       appendElement(nil, tagApplication, append(unhex(t, "0608 2b0601 80 0580 05 02"), inner[head:]...)),
	} {
		got, err := Parse(token)
		if err != nil || !got.Init || len(got.MechTypes) != 34 || !bytes.Equal(got.MechToken, ntlmMessage) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	for name, token := range map[string][]byte{
		"a state that RFC 4178 has not": unhex(t, "a107 3005 a003 0a0109"),
		"the indefinite form":           unhex(t, "a180 08 3080 05 a003 0a0109"), // as Samba reads it: one octet of length
	} {
		if got, err := Parse(token); err != nil || got.State != 9 {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	twice := appendOctets(appendOctets(nil, tagContext2, apReq), tagContext2, ntlmMessage)
	twice = appendElement(nil, tagContext1, appendElement(nil, tagSequence, twice))
	if got, err := Parse(twice); err != nil || !bytes.Equal(got.MechToken, ntlmMessage) {
		t.Errorf("two tokens: %+v, %v", got, err)
	}
}

func TestUnwrapFindsTheMechanismInEveryEnvelope(t *testing.T) {
	gssKerberos := appendElement(nil, tagApplication,
		append(append(appendElement(nil, tagOID, []byte(OIDKerberos)), 1, 0), apReq...))
	gssNTLM := appendElement(nil, tagApplication, append(appendElement(nil, tagOID, []byte(OIDNTLM)), ntlmMessage...))
	for _, tc := range []struct {
		name  string
		token []byte
		mech  Mech
		inner []byte
	}{
		{"bare NTLM", ntlmMessage, MechNTLM, ntlmMessage},
		{"bare AP-REQ", apReq, MechKerberos, apReq},
		{"bare KRB-ERROR", []byte{0x7e, 0}, MechKerberos, []byte{0x7e, 0}},
		{"framed Kerberos", gssKerberos, MechKerberos, apReq},
		{"framed NTLM", gssNTLM, MechNTLM, ntlmMessage},
		{"Kerberos with a long tag", appendElement(nil, tagApplication,
			append(append(appendElement(nil, tagOID, []byte(OIDKerberos)), 1, 0, 0x7f, 0x80, 0x0e), apReq[1:]...)), MechKerberos, apReq},
		{"NTLM in negTokenInit", AppendInit(nil, Token{MechTypes: []OID{OIDNTLM}, MechToken: ntlmMessage}), MechNTLM, ntlmMessage},
		{"NTLM in negTokenResp", AppendResp(nil, Token{MechToken: ntlmMessage}), MechNTLM, ntlmMessage},
		{"framed Kerberos in SPNEGO", AppendInit(nil, Token{MechTypes: []OID{OIDMSKerberos}, MechToken: gssKerberos}), MechKerberos, apReq},
		{"the content decides", AppendInit(nil, Token{MechTypes: []OID{OIDKerberos}, MechToken: ntlmMessage}), MechNTLM, ntlmMessage},
	} {
		mech, inner, ok := Unwrap(tc.token)
		if !ok || mech != tc.mech || !bytes.Equal(inner, tc.inner) {
			t.Errorf("%s: %v %x %v", tc.name, mech, inner, ok)
		}
	}
}

func TestUnwrapGivesNothingForWhatHoldsNothing(t *testing.T) {
	deep := ntlmMessage
	for range 10 {
		deep = AppendResp(nil, Token{MechToken: deep})
	}
	for name, token := range map[string][]byte{
		"empty":                 nil,
		"state only":            AppendResp(nil, Token{HasState: true}),
		"unknown mechanism":     AppendInit(nil, Token{MechTypes: []OID{OIDNegoEx}, MechToken: []byte("NEGOEXTS")}),
		"ten envelopes":         deep,
		"an empty GSS frame":    {0x60, 0},
		"Kerberos without body": appendElement(nil, tagApplication, append(appendElement(nil, tagOID, []byte(OIDKerberos)), 1, 0)),
	} {
		if mech, inner, ok := Unwrap(token); ok || mech != MechNone || inner != nil {
			t.Errorf("%s: %v %x %v", name, mech, inner, ok)
		}
	}
}

func TestIdentifiersCompareByTheirNumbers(t *testing.T) {
	for in, want := range map[string]OID{
		string(OIDKerberos): OIDKerberos,
		"\x80\x2a\x80\x80\x86\x48\x86\xf7\x12\x01\x80\x02\x02": OIDKerberos,
		"\x2a\x03\x80\x04": "\x2a\x03\x04",
		"\x2a\x81\x80\x04": "\x2a\x81\x80\x04", // zeros inside a number count
		"":                 "",
	} {
		if got := canonical([]byte(in)); got != want {
			t.Errorf("%x: %x, want %x", in, string(got), string(want))
		}
	}
}

func TestOIDsPrintDotted(t *testing.T) {
	for oid, want := range map[OID]string{
		OIDSPNEGO:                      "1.3.6.1.5.5.2",
		OIDKerberos:                    "1.2.840.113554.1.2.2",
		OIDMSKerberos:                  "1.2.840.48018.1.2.2",
		OIDNTLM:                        "1.3.6.1.4.1.311.2.2.10",
		OIDNegoEx:                      "1.3.6.1.4.1.311.2.2.30",
		"":                             "invalid",
		"\x2a\x80":                     "invalid",
		OID(strings.Repeat("\xff", 9)): "invalid",
	} {
		if got := oid.String(); got != want {
			t.Errorf("%x: %s, want %s", string(oid), got, want)
		}
	}
}

func TestNamesOfStatesAndMechanisms(t *testing.T) {
	if StateReject.String() != "reject" || State(9).String() != "state(9)" {
		t.Error("state names")
	}
	for oid, want := range map[OID]string{OIDNTLM: "ntlm", OIDMSKerberos: "kerberos", OIDNegoEx: "other", "": "none"} {
		if got := oid.Mech().String(); got != want {
			t.Errorf("%s: %s, want %s", oid, got, want)
		}
	}
}

func TestUnwrapOfAResponseDoesNotAllocate(t *testing.T) {
	token := AppendResp(nil, Token{HasState: true, MechToken: ntlmMessage})
	if n := testing.AllocsPerRun(100, func() { Unwrap(token) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(nil))
	f.Add(AppendInit(nil, Token{MechTypes: []OID{OIDKerberos, OIDNTLM}, MechToken: ntlmMessage, ListMIC: []byte{1}}))
	f.Add(AppendResp(nil, Token{HasState: true, State: 1, SupportedMech: OIDNTLM, MechToken: ntlmMessage}))
	f.Add(unhex(f, "a107 3005 a003 0a0100"))
	f.Add(unhex(f, "a180 3080"))
	f.Fuzz(func(t *testing.T, b []byte) {
		Unwrap(b)
		got, err := Parse(b)
		if err != nil {
			return
		}
		var again []byte
		if got.Init {
			again = AppendInit(nil, got)
		} else {
			again = AppendResp(nil, got)
		}
		back, err := Parse(again)
		if err != nil {
			t.Fatalf("what was appended does not parse: %v", err)
		}
		if back.Init != got.Init || back.State != got.State || back.HasState != got.HasState ||
			!slices.Equal(back.MechTypes, got.MechTypes) || !bytes.Equal(back.MechToken, got.MechToken) ||
			!bytes.Equal(back.ListMIC, got.ListMIC) || back.SupportedMech != got.SupportedMech {
			t.Fatalf("got %+v, again %+v", got, back)
		}
	})
}
