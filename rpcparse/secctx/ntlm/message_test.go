package ntlm

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

func TestMessagesRoundTrip(t *testing.T) {
	n, err := AppendNegotiate(nil, Negotiate{Flags: clientFlags, Domain: "LAB", Workstation: "WS1"})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := ParseNegotiate(n); err != nil || got.Domain != "LAB" || got.Workstation != "WS1" || !got.Flags.Has(clientFlags) {
		t.Errorf("NEGOTIATE %+v, %v", got, err)
	}
	info := AppendAVPair(AppendAVPair(nil, AVNbDomainName, AppendUTF16(nil, "LAB")), AVEOL, nil)
	c, err := AppendChallenge(nil, Challenge{Flags: FlagUnicode, ServerChallenge: specServerChallenge, TargetName: "LAB", TargetInfo: info})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := ParseChallenge(c); err != nil || got.TargetName != "LAB" || got.ServerChallenge != specServerChallenge ||
		got.TargetInfo.Text(AVNbDomainName) != "LAB" {
		t.Errorf("CHALLENGE %+v, %v", got, err)
	}
	for _, flags := range []Flags{FlagUnicode, FlagOEM} {
		want := Authenticate{Flags: flags, Domain: "LAB", User: "alice", Workstation: "WS1", LMResponse: []byte{1},
			NTResponse: []byte{2, 3}, SessionKey: []byte{4}}
		a, err := AppendAuthenticate(nil, want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParseAuthenticate(a, 0)
		if err != nil || got.Domain != "LAB" || got.User != "alice" || got.Workstation != "WS1" || got.Anonymous ||
			!bytes.Equal(got.LMResponse, []byte{1}) || !bytes.Equal(got.NTResponse, []byte{2, 3}) || !bytes.Equal(got.SessionKey, []byte{4}) {
			t.Errorf("AUTHENTICATE %+v, %v", got, err)
		}
	}
}

// A message whose fields have to fit must fail wherever it is cut off.
func TestMessagesFailAtEveryTruncation(t *testing.T) {
	i := &Initiator{Domain: "LAB", User: "alice", Password: "Secret.123", Workstation: "WS1"}
	n, c, a := handshake(t, i, &Acceptor{Lookup: accounts, Domain: "LAB", Now: time.Unix(1, 0)})
	for cut := range a {
		got, err := ParseAuthenticate(a[:cut], 0)
		if err == nil && (got.User != "alice" || got.Domain != "LAB" || got.NTResponse == nil || got.SessionKey != nil) {
			t.Fatalf("AUTHENTICATE: %d of %d bytes: %+v", cut, len(a), got)
		}
		if err != nil && wire.ClassOf(err) == 0 {
			t.Fatalf("AUTHENTICATE: %d of %d bytes: %v", cut, len(a), err)
		}
	}
	for cut := range c {
		if _, err := ParseChallenge(c[:cut]); wire.ClassOf(err) == 0 {
			t.Fatalf("CHALLENGE: %d of %d bytes: %v", cut, len(c), err)
		}
	}
	for cut := range negotiateMin {
		if _, err := ParseNegotiate(n[:cut]); wire.ClassOf(err) != wire.ClassShort {
			t.Fatalf("NEGOTIATE: %d of %d bytes: %v", cut, len(n), err)
		}
	}
}

// authenticateWith returns a valid message after one change.
func authenticateWith(t *testing.T, change func(b []byte) []byte) []byte {
	t.Helper()
	b, err := AppendAuthenticate(nil, Authenticate{Flags: FlagUnicode, Domain: "LAB", User: "alice", Workstation: "WS1",
		LMResponse: make([]byte, 24), NTResponse: bytes.Repeat([]byte{1}, 60)})
	if err != nil {
		t.Fatal(err)
	}
	return change(b)
}

func TestHostileAuthenticateMessages(t *testing.T) {
	set16 := func(at int, v uint16) func([]byte) []byte {
		return func(b []byte) []byte { binary.LittleEndian.PutUint16(b[at:], v); return b }
	}
	set32 := func(at int, v uint32) func([]byte) []byte {
		return func(b []byte) []byte { binary.LittleEndian.PutUint32(b[at:], v); return b }
	}
	for _, tc := range []struct {
		name   string
		change func([]byte) []byte
		class  wire.Class // 0: accepted
	}{
		{"unchanged", func(b []byte) []byte { return b }, 0},
		{"22 bytes", func(b []byte) []byte { return b[:22] }, wire.ClassShort},
		{"no Version, no MIC", func(b []byte) []byte {
			return append(b[:authMin:authMin], make([]byte, 200)...)
		}, 0},
		{"another message", set32(8, 2), wire.ClassInvalid},
		{"not NTLM", set32(0, 2), wire.ClassInvalid},
		{"user outside", set32(authUser+4, 1<<20), wire.ClassInvalid},
		{"user offset overflows 32 bits", set32(authUser+4, 0xffff_ffff), wire.ClassInvalid},
		{"response longer than the message", set16(authNTResponse, 0xffff), wire.ClassInvalid},
		{"session key outside", func(b []byte) []byte { return set32(authSessionKey+4, 1<<31)(set16(authSessionKey, 16)(b)) }, 0},
		{"LM response outside", set32(authLMResponse+4, 1<<31), 0},
		{"workstation outside", set32(authWorkstation+4, 1<<31), 0},
		{"workstation of odd UTF-16", set16(authWorkstation, 5), 0},
		{"odd UTF-16", set16(authUser, 3), 0},
		{"fields overlap", set32(authDomain+4, authFixed), 0},
		{"field inside the fixed part", set32(authDomain+4, 0), 0},
		{"empty field far outside", func(b []byte) []byte { return set32(authWorkstation+4, 1<<31)(set16(authWorkstation, 0)(b)) }, 0},
		{"name of 32 KiB", func(b []byte) []byte {
			b = append(b, make([]byte, 40_000)...)
			return set32(authUser+4, 72)(set16(authUser, 32_768)(b))
		}, 0},
	} {
		a, err := ParseAuthenticate(authenticateWith(t, tc.change), 0)
		if wire.ClassOf(err) != tc.class || (tc.class == 0) != (err == nil) {
			t.Errorf("%s: %v, want class %v", tc.name, err, tc.class)
		}
		if optional := strings.HasPrefix(tc.name, "session key") || strings.HasPrefix(tc.name, "LM") || strings.HasPrefix(tc.name, "workstation"); optional && a.User != "alice" {
			t.Errorf("%s: the user is %q", tc.name, a.User)
		}
	}
}

func TestNamesThatCannotBeRealAccountsAreNotMadeReal(t *testing.T) {
	for _, tc := range []struct {
		name    string
		b       []byte
		unicode bool
		want    string
	}{
		{"lone surrogate", []byte{'a', 0, 0x00, 0xd8, 'b', 0}, true, "a\ufffdb"},
		{"surrogate pair", []byte{0x3d, 0xd8, 0x00, 0xde}, true, "😀"},
		{"OEM outside ASCII", []byte{'a', 0xe4}, false, "a\ufffd"},
		{"control characters stay for the sinks", []byte("a\n\x1b[31m"), false, "a\n\x1b[31m"},
		{"a name ends at a NUL", []byte("a\x00b"), false, "a"},
		{"half a character", []byte{'a', 0, 'b'}, true, "a"},
	} {
		if got, _ := decodeName(tc.b, tc.unicode); got != tc.want {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
}

// Servers read names by what was negotiated, whatever the last message says.
func TestNamesAreReadByTheNegotiatedFlags(t *testing.T) {
	for _, negotiated := range []Flags{FlagUnicode, FlagOEM} {
		b, err := AppendAuthenticate(nil, Authenticate{Flags: negotiated, Domain: "LAB", User: "alice", NTResponse: make([]byte, 44)})
		if err != nil {
			t.Fatal(err)
		}
		binary.LittleEndian.PutUint32(b[authFlags:], uint32(negotiated^(FlagUnicode|FlagOEM)))
		if a, err := ParseAuthenticate(b, negotiated); err != nil || a.User != "alice" || a.Domain != "LAB" {
			t.Errorf("%#x: %+v, %v", negotiated, a, err)
		}
	}
}

// Windows 9x ends its message behind the workstation.
func TestAuthenticateWithoutKeyAndFlagsNamesItsUser(t *testing.T) {
	b, err := AppendAuthenticate(nil, Authenticate{Flags: FlagUnicode, User: "alice"})
	if err != nil {
		t.Fatal(err)
	}
	user := AppendUTF16(nil, "alice")
	short := append(b[:authMin:authMin], user...)
	for at := authLMResponse; at < authMin; at += fieldSize {
		clear(short[at : at+fieldSize])
	}
	binary.LittleEndian.PutUint16(short[authUser:], uint16(len(user)))
	binary.LittleEndian.PutUint32(short[authUser+4:], authMin)
	if a, err := ParseAuthenticate(short, FlagUnicode); err != nil || a.User != "alice" {
		t.Errorf("%+v, %v", a, err)
	}
}

func TestAnonymousIsWhoClaimsNothing(t *testing.T) {
	for _, tc := range []struct {
		name string
		a    Authenticate
		want bool
	}{
		{"nothing at all", Authenticate{}, true},
		{"one zero byte of LM response", Authenticate{LMResponse: []byte{0}}, true},
		{"flag with a user", Authenticate{Flags: FlagAnonymous, User: "alice"}, false},
		{"no user but a response", Authenticate{NTResponse: make([]byte, 24)}, false},
		{"no user but an LM response", Authenticate{LMResponse: make([]byte, 24)}, false},
	} {
		b, err := AppendAuthenticate(nil, tc.a)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := ParseAuthenticate(b, 0); err != nil || got.Anonymous != tc.want {
			t.Errorf("%s: anonymous %v, %v", tc.name, got.Anonymous, err)
		}
	}
}

func TestHostileAVPairsEndTheWalk(t *testing.T) {
	pair := func(id AVID, v ...byte) []byte { return AppendAVPair(nil, id, v) }
	join := func(parts ...[]byte) AVPairs { return bytes.Join(parts, nil) }
	for _, tc := range []struct {
		name  string
		pairs AVPairs
		count int
	}{
		{"empty", nil, 0},
		{"no terminator", join(pair(AVFlags, 2, 0, 0, 0)), 1},
		{"terminator first", join(pair(AVEOL), pair(AVFlags, 2, 0, 0, 0)), 0},
		{"value beyond the end", join(pair(AVFlags, 2, 0, 0, 0), []byte{9, 0, 0xff, 0xff, 1}), 1},
		{"half a header", join(pair(AVFlags, 2, 0, 0, 0), []byte{9, 0, 1}), 1},
		{"zero-length values advance", AVPairs(bytes.Repeat(pair(AVTargetName), 1000)), 1000},
	} {
		n := 0
		for range tc.pairs.All() {
			n++
		}
		if n != tc.count {
			t.Errorf("%s: %d attributes, want %d", tc.name, n, tc.count)
		}
	}
	twice := join(pair(AVFlags, 0, 0, 0, 0), pair(AVFlags, 2, 0, 0, 0))
	if f, ok := twice.Flags(); !ok || f != 0 {
		t.Errorf("of two values %d counts, want the first", f)
	}
	if _, ok := join(pair(AVTimestamp, 1, 2)).Timestamp(); ok {
		t.Error("a timestamp of two bytes counts")
	}
	if got := join(pair(AVNbDomainName, 'A')).Text(AVNbDomainName); got != "" {
		t.Errorf("half a character decodes to %q", got)
	}
	for range twice.All() {
		break // stopping early is allowed
	}
}

func TestFieldsThatDoNotFitAreNotWritten(t *testing.T) {
	long := make([]byte, 0x10000)
	if _, err := AppendAuthenticate(nil, Authenticate{NTResponse: long}); wire.ClassOf(err) != wire.ClassLimit {
		t.Errorf("NT response of 64 KiB: %v", err)
	}
	if _, err := AppendChallenge(nil, Challenge{TargetInfo: long}); wire.ClassOf(err) != wire.ClassLimit {
		t.Errorf("target information of 64 KiB: %v", err)
	}
	if _, err := AppendNegotiate(nil, Negotiate{Domain: strings.Repeat("a", 0x10000)}); wire.ClassOf(err) != wire.ClassLimit {
		t.Errorf("domain of 64 KiB: %v", err)
	}
}

func TestTypeRecognisesMessages(t *testing.T) {
	for _, typ := range []MessageType{TypeNegotiate, TypeChallenge, TypeAuthenticate, 9} {
		p := newPayload(typ, 16)
		if got, ok := Type(p.append(nil)); !ok || got != typ || got.String() == "" {
			t.Errorf("%v: %v, %v", typ, got, ok)
		}
	}
	if _, ok := Type([]byte("NTLMSSP\x00\x01")); ok {
		t.Error("a message of nine bytes has a type")
	}
}

func TestErrorsNameTheField(t *testing.T) {
	_, err := ParseAuthenticate(authenticateWith(t, func(b []byte) []byte { b[authUser+7] = 0x7f; return b }), 0)
	if !errors.Is(err, &wire.Error{Class: wire.ClassInvalid, Name: "ntlm_user"}) {
		t.Errorf("%v", err)
	}
}
