package ntlm

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strconv"
	"testing"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

// The PDUs of a refused NspiBind, computed by two independent implementations:
// header, body, trailer, token.
var protectVectors = []struct {
	name string
	seal bool
	pdu  string
}{
	{"integrity", false, `05000203100000005000100003000000 1c00000000000000
		0000000000000000000000000000000000000000000000001101048000000000
		0a05040001000000 01000000efd4e39ca654677900000000`},
	{"privacy", true, `05000203100000005000100003000000 1c00000000000000
		46081db751ba1de928c427d7235b2c27f9d0148b2103641804d36938c2186936
		0a06040001000000 010000005ac84d2c9f5ccc7900000000`},
}

const vectorBody = "0000000000000000000000000000000000000000000000001101048000000000"

func TestProtectMatchesKnownPDUs(t *testing.T) {
	for _, v := range protectVectors {
		want := unhex(t, v.pdu)
		pdu := bytes.Clone(want)
		copy(pdu[24:56], unhex(t, vectorBody))
		clear(pdu[64:])
		s, err := NewStream(specKey, specFlags, FromServer)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Protect(pdu, 24, 56, v.seal); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(pdu, want) {
			t.Errorf("%s:\n got %x\nwant %x", v.name, pdu, want)
		}
	}
}

func TestUnprotectMatchesKnownPDUs(t *testing.T) {
	for _, v := range protectVectors {
		pdu := unhex(t, v.pdu)
		s, _ := NewStream(specKey, specFlags, FromServer)
		if err := s.Unprotect(pdu, 24, 56, v.seal); err != nil {
			t.Fatalf("%s: %v", v.name, err)
		}
		if got := hex.EncodeToString(pdu[24:56]); got != vectorBody {
			t.Errorf("%s: body %s", v.name, got)
		}
	}
}

func TestDirectionKeysMatchKnownKeys(t *testing.T) {
	for _, tc := range []struct {
		from       Side
		sign, seal string
	}{
		{FromClient, "4788dc861b4782f35d43fd98fe1a2d39", "59f600973cc4960a25480a7c196e4c58"},
		{FromServer, "d04d6f10741041d1d246d64188d7a8ad", "9355f3a957c1583d25c4c2f11e40390e"},
	} {
		sign, seal := directionKeys(specKey, specFlags, tc.from)
		if hex.EncodeToString(sign[:]) != tc.sign || hex.EncodeToString(seal[:]) != tc.seal {
			t.Errorf("%v: %x %x", tc.from, sign, seal)
		}
	}
	// MS-NLMP 4.2.3.4: NTLMv1 with extended session security negotiates 56 bits.
	weak := Key(unhex(t, "eb93429a8bd952f8b89c55b87f475edc"))
	sign, seal := directionKeys(weak, FlagExtendedSessionSecurity|Flag56, FromClient)
	if hex.EncodeToString(sign[:]) != "60e799be5c72fc92922ae8ebe961fb8d" || hex.EncodeToString(seal[:]) != "04dd7f014d8504d265a25cc86a3a7c06" {
		t.Errorf("56 bits: %x %x", sign, seal)
	}
	if _, seal40 := directionKeys(weak, FlagExtendedSessionSecurity, FromClient); seal40 == seal {
		t.Error("40 and 56 bits make one key")
	}
}

// MS-NLMP 4.2.4.4: the plaintext is sealed first, then its checksum.
func TestSealMatchesTheSpecification(t *testing.T) {
	s, _ := NewStream(specKey, specFlags, FromClient)
	plain := AppendUTF16(nil, "Plaintext")
	sealed := make([]byte, len(plain))
	s.sum(plain)
	s.cipher.XORKeyStream(sealed, plain)
	var token [TokenSize]byte
	s.finish(token[:])
	if got := hex.EncodeToString(sealed); got != "54e50165bf1936dc996020c1811b0f06fb5f" {
		t.Errorf("sealed %s", got)
	}
	if got := hex.EncodeToString(token[:]); got != "010000007fb38ec5c55d497600000000" {
		t.Errorf("token %s", got)
	}
}

// pdu returns one of the given body size, ready to be protected.
func pdu(body int) []byte {
	b := make([]byte, 24+body+8+TokenSize)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}

func TestStreamsCarryConversations(t *testing.T) {
	for _, flags := range []Flags{specFlags, specFlags &^ FlagKeyExchange, specFlags &^ Flag128, specFlags &^ (Flag128 | Flag56)} {
		client, _ := NewSession(specKey, flags, FromClient)
		server, _ := NewSession(specKey, flags, FromServer)
		for n := range 20 {
			seal := n%3 == 0 // levels may differ between messages of one context
			for _, way := range []struct{ from, to *Stream }{{client.Send, server.Receive}, {server.Send, client.Receive}} {
				plain := pdu(16 * n)
				b := bytes.Clone(plain)
				trailer := len(b) - 8 - TokenSize
				if err := way.from.Protect(b, 24, trailer, seal); err != nil {
					t.Fatal(err)
				}
				if err := way.to.Unprotect(b, 24, trailer, seal); err != nil {
					t.Fatalf("flags %#x, message %d: %v", flags, n, err)
				}
				if !bytes.Equal(b[:trailer+8], plain[:trailer+8]) {
					t.Fatalf("flags %#x, message %d: altered", flags, n)
				}
			}
		}
		if client.Send.Sequence() != 20 {
			t.Errorf("number %d", client.Send.Sequence())
		}
	}
}

func TestAlteredPDUsAreRefusedForGood(t *testing.T) {
	const trailer = 24 + 32
	for _, seal := range []bool{false, true} {
		for at := range pdu(32) {
			send, _ := NewStream(specKey, specFlags, FromClient)
			receive, _ := NewStream(specKey, specFlags, FromClient)
			b := pdu(32)
			if err := send.Protect(b, 24, trailer, seal); err != nil {
				t.Fatal(err)
			}
			b[at] ^= 0x10
			err := receive.Unprotect(b, 24, trailer, seal)
			if wire.ClassOf(err) != wire.ClassAuth {
				t.Fatalf("seal %v, byte %d: %v", seal, at, err)
			}
			next := pdu(32)
			if err := send.Protect(next, 24, trailer, seal); err != nil {
				t.Fatal(err)
			}
			if again := receive.Unprotect(next, 24, trailer, seal); !errors.Is(again, err) {
				t.Fatalf("the stream recovered: %v", again)
			}
		}
	}
}

func TestReplayedSkippedAndSwappedPDUsAreRefused(t *testing.T) {
	const trailer = 24 + 16
	send, _ := NewStream(specKey, specFlags, FromClient)
	var pdus [3][]byte
	for i := range pdus {
		pdus[i] = pdu(16)
		if err := send.Protect(pdus[i], 24, trailer, true); err != nil {
			t.Fatal(err)
		}
	}
	for name, order := range map[string][]int{"replayed": {0, 0}, "skipped": {0, 2}, "swapped": {1, 0}} {
		receive, _ := NewStream(specKey, specFlags, FromClient)
		var err error
		for _, i := range order {
			if err = receive.Unprotect(bytes.Clone(pdus[i]), 24, trailer, true); err != nil {
				break
			}
		}
		if !errors.Is(err, &wire.Error{Class: wire.ClassAuth, Name: "ntlm_sequence"}) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestLayoutsThatDoNotFitAreRefused(t *testing.T) {
	s, _ := NewStream(specKey, specFlags, FromClient)
	b := pdu(16)
	for _, tc := range []struct{ body, trailer int }{{24, 41}, {24, 39}, {-1, 40}, {41, 40}, {24, len(b)}, {24, -30}} {
		if err := s.Protect(b, tc.body, tc.trailer, true); wire.ClassOf(err) != wire.ClassInvalid {
			t.Errorf("Protect %+v: %v", tc, err)
		}
		if err := s.Unprotect(b, tc.body, tc.trailer, true); wire.ClassOf(err) != wire.ClassInvalid {
			t.Errorf("Unprotect %+v: %v", tc, err)
		}
	}
	if s.Sequence() != 0 {
		t.Error("a refused layout consumed a number")
	}
}

func TestListMICConsumesANumberButNoKeyStream(t *testing.T) {
	client, _ := NewSession(specKey, specFlags, FromClient)
	server, _ := NewSession(specKey, specFlags, FromServer)
	mechs := []byte("mechanism list")
	mic := client.Send.ListMIC(mechs)
	if err := server.Receive.VerifyListMIC(mechs, mic[:]); err != nil {
		t.Fatal(err)
	}
	fresh, _ := NewStream(specKey, specFlags, FromClient)
	var a, b [8]byte
	fresh.cipher.XORKeyStream(a[:], a[:])
	if client.Send.cipher.XORKeyStream(b[:], b[:]); a != b {
		t.Error("the key stream was not put back")
	}
	if client.Send.Sequence() != 1 || server.Receive.Sequence() != 1 {
		t.Error("no number was consumed")
	}
	if err := client.Receive.VerifyListMIC(mechs, mic[:]); wire.ClassOf(err) != wire.ClassAuth {
		t.Errorf("a MIC of the other direction: %v", err)
	}
	if err := client.Receive.VerifyListMIC(mechs, mic[:]); wire.ClassOf(err) != wire.ClassAuth {
		t.Errorf("after a failure: %v", err)
	}
	if err := server.Receive.VerifyListMIC(mechs, mic[:8]); wire.ClassOf(err) != wire.ClassInvalid {
		t.Errorf("a MIC of eight bytes: %v", err)
	}
}

func TestOldDialectsHaveNoStream(t *testing.T) {
	if _, err := NewSession(specKey, specFlags&^FlagExtendedSessionSecurity, FromClient); wire.ClassOf(err) != wire.ClassState {
		t.Errorf("%v", err)
	}
}

func TestProtectionDoesNotAllocate(t *testing.T) {
	send, _ := NewStream(specKey, specFlags, FromClient)
	receive, _ := NewStream(specKey, specFlags, FromClient)
	b := pdu(64)
	if n := testing.AllocsPerRun(100, func() {
		if send.Protect(b, 24, 88, true) != nil || receive.Unprotect(b, 24, 88, true) != nil {
			t.Fatal("protection failed")
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkProtect(b *testing.B) {
	for _, size := range []int{64, 1024, 4096} {
		b.Run(strconv.Itoa(size), func(b *testing.B) {
			s, _ := NewStream(specKey, specFlags, FromClient)
			p := pdu(size)
			b.ReportAllocs()
			b.SetBytes(int64(size))
			for b.Loop() {
				_ = s.Protect(p, 24, 24+size, true)
			}
		})
	}
}

// FuzzUnprotect: no PDU layout and no token makes a stream panic.
func FuzzUnprotect(f *testing.F) {
	for _, v := range protectVectors {
		f.Add(unhex(f, v.pdu), 24, 56, v.seal)
	}
	f.Add([]byte(nil), 0, 0, true)
	f.Fuzz(func(t *testing.T, b []byte, body, trailer int, seal bool) {
		s, _ := NewStream(specKey, specFlags, FromServer)
		_ = s.Unprotect(b, body, trailer, seal)
		_ = s.VerifyListMIC(b, b)
	})
}
