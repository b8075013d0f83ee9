package krb5

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

// forEachKind runs test for every encryption type, signed and sealed.
func forEachKind(t *testing.T, test func(t *testing.T, etype int32, seal bool)) {
	for _, etype := range etypes {
		for _, seal := range []bool{false, true} {
			t.Run(benchName(etype, seal), func(t *testing.T) { test(t, etype, seal) })
		}
	}
}

func wantFailure(t *testing.T, err error, class wire.Class, name string) {
	t.Helper()
	if !errors.Is(err, &wire.Error{Class: class, Name: name}) {
		t.Errorf("%v, want %v %s", err, class, name)
	}
}

func TestStreamsCarryConversations(t *testing.T) {
	forEachKind(t, func(t *testing.T, etype int32, seal bool) {
		rapid.Check(t, func(rt *rapid.T) {
			from := Role(rapid.IntRange(0, 1).Draw(rt, "from"))
			number := rapid.Uint64Range(0, 1<<32-1).Draw(rt, "number")
			subkey, headers := rapid.Bool().Draw(rt, "subkey"), rapid.Bool().Draw(rt, "headers")
			send, _ := NewStream(sequenceKey(etype), from, subkey, number)
			receive, _ := NewStream(sequenceKey(etype), from, subkey, number)
			send.SetHeaderSigning(headers)
			receive.SetHeaderSigning(headers)
			for range 4 {
				size := send.TokenSize(seal)
				if seal && etype != etypeRC4 {
					size += rapid.IntRange(-defaultEC, maxEC-defaultEC).Draw(rt, "filler")
				}
				plain, trailer := newPDU(rapid.IntRange(0, 300).Draw(rt, "size"), size)
				pdu := bytes.Clone(plain)
				if err := send.Protect(pdu, 24, trailer, seal); err != nil {
					rt.Fatal(err)
				}
				if seal && trailer > 24+8 && bytes.Equal(pdu[24:trailer], plain[24:trailer]) {
					rt.Fatal("the body was not encrypted")
				}
				if err := receive.Unprotect(pdu, 24, trailer, seal); err != nil {
					rt.Fatal(err)
				}
				if !bytes.Equal(pdu[:trailer+8], plain[:trailer+8]) {
					rt.Fatal("altered")
				}
			}
		})
	})
}

func TestAlteredPDUsAreRefusedForGood(t *testing.T) {
	forEachKind(t, func(t *testing.T, etype int32, seal bool) {
		send, receive := newStream(t, etype, Initiator, 7), newStream(t, etype, Initiator, 7)
		original, trailer := newPDU(35, send.TokenSize(seal))
		if err := send.Protect(original, 24, trailer, seal); err != nil {
			t.Fatal(err)
		}
		for bit := range 8 * len(original) {
			pdu, victim := bytes.Clone(original), receive.Clone()
			pdu[bit/8] ^= 1 << (bit % 8)
			err := victim.Unprotect(pdu, 24, trailer, seal)
			if wire.ClassOf(err) != wire.ClassAuth {
				t.Fatalf("bit %d of byte %d: %v", bit%8, bit/8, err)
			}
			if again := victim.Unprotect(bytes.Clone(original), 24, trailer, seal); !errors.Is(again, err) {
				t.Fatalf("the stream recovered: %v", again)
			}
			if again := victim.Protect(pdu, 24, trailer, seal); !errors.Is(again, err) {
				t.Fatalf("the stream protects again: %v", again)
			}
		}
		if err := receive.Unprotect(original, 24, trailer, seal); err != nil {
			t.Fatalf("the original: %v", err)
		}
	})
}

func TestReplayedSkippedAndSwappedPDUsAreRefused(t *testing.T) {
	forEachKind(t, func(t *testing.T, etype int32, seal bool) {
		send, receive := newStream(t, etype, Initiator, 7), newStream(t, etype, Initiator, 7)
		var pdus [3][]byte
		var trailer int
		for i := range pdus {
			pdus[i], trailer = newPDU(16, send.TokenSize(seal))
			if err := send.Protect(pdus[i], 24, trailer, seal); err != nil {
				t.Fatal(err)
			}
		}
		for name, order := range map[string][]int{"replayed": {0, 0}, "skipped": {0, 2}, "swapped": {1, 0}} {
			victim := receive.Clone()
			var err error
			for _, i := range order {
				if err = victim.Unprotect(bytes.Clone(pdus[i]), 24, trailer, seal); err != nil {
					break
				}
			}
			if !errors.Is(err, &wire.Error{Class: wire.ClassAuth, Name: "krb5_sequence"}) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// A reflected PDU, one of the other kind, and one of a context with other keys.
func TestTokensOfOtherStreamsAreRefused(t *testing.T) {
	forEachKind(t, func(t *testing.T, etype int32, seal bool) {
		other := sequenceKey(etype)
		other.Value[0] = 0xff
		for name, key := range map[string]Key{"direction": sequenceKey(etype), "key": other} {
			from := Initiator
			if name == "direction" {
				from = Acceptor
			}
			send, _ := NewStream(key, from, true, 7)
			pdu, trailer := newPDU(16, send.TokenSize(seal))
			if err := send.Protect(pdu, 24, trailer, seal); err != nil {
				t.Fatal(err)
			}
			if err := newStream(t, etype, Initiator, 7).Unprotect(pdu, 24, trailer, seal); wire.ClassOf(err) != wire.ClassAuth {
				t.Errorf("other %s: %v", name, err)
			}
			if err := newStream(t, etype, from, 7).Unprotect(pdu, 24, trailer, !seal); wire.ClassOf(err) != wire.ClassAuth {
				t.Errorf("other level: %v", err)
			}
		}
	})
}

func TestHeadersAreSignedOnlyIfAgreed(t *testing.T) {
	forEachKind(t, func(t *testing.T, etype int32, seal bool) {
		for _, headers := range []bool{false, true} {
			for _, at := range []int{0, 60} { // in the header, in the trailer
				send, receive := newStream(t, etype, Initiator, 7), newStream(t, etype, Initiator, 7)
				send.SetHeaderSigning(headers)
				receive.SetHeaderSigning(headers)
				pdu, trailer := newPDU(32, send.TokenSize(seal))
				if err := send.Protect(pdu, 24, trailer, seal); err != nil {
					t.Fatal(err)
				}
				pdu[at] ^= 1
				if err := receive.Unprotect(pdu, 24, trailer, seal); (err != nil) != headers {
					t.Errorf("header signing %v, byte %d: %v", headers, at, err)
				}
			}
		}
	})
}

func TestLayoutsThatDoNotFitAreRefused(t *testing.T) {
	forEachKind(t, func(t *testing.T, etype int32, seal bool) {
		s := newStream(t, etype, Initiator, 7)
		pdu, trailer := newPDU(16, s.TokenSize(seal))
		for _, tc := range []struct{ body, trailer int }{{-1, trailer}, {41, 40}, {24, len(pdu)}, {24, len(pdu) - 7}, {24, -30}, {24, math.MaxInt}, {24, math.MinInt}} {
			wantFailure(t, s.Protect(pdu, tc.body, tc.trailer, seal), wire.ClassInvalid, "auth_length")
			wantFailure(t, s.Unprotect(pdu, tc.body, tc.trailer, seal), wire.ClassInvalid, "auth_length")
		}
		for _, size := range []int{0, s.TokenSize(seal) - 17, s.TokenSize(seal) + maxEC} {
			pdu, trailer := newPDU(16, size)
			wantFailure(t, s.Protect(pdu, 24, trailer, seal), wire.ClassInvalid, "auth_length")
		}
		wantFailure(t, s.MIC(nil, make([]byte, 12)), wire.ClassInvalid, "mech_list_mic")
		if s.Sequence() != 7 {
			t.Error("a refused layout consumed a number")
		}
	})
}

// Protocol handbook 12, row 31.
func TestMalformedTokensAreRefused(t *testing.T) {
	for _, tc := range []struct {
		name  string
		etype int32
		seal  bool
		want  string
		spoil func(token []byte) []byte
	}{
		{"EC 65535", 18, true, "krb5_rotation", func(b []byte) []byte { b[4], b[5] = 0xff, 0xff; return b }},
		{"EC 15 with room for 16", 18, true, "krb5_rotation", func(b []byte) []byte { b[5]--; return b }},
		{"EC beyond the cap", 18, true, "krb5_token_size", func(b []byte) []byte { b[5] = 65; return append(b, make([]byte, 49)...) }},
		{"RRC 65535", 18, true, "krb5_rotation", func(b []byte) []byte { b[6], b[7] = 0xff, 0xff; return b }},
		{"RRC 0", 18, true, "krb5_rotation", func(b []byte) []byte { b[6], b[7] = 0, 0; return b }},
		{"RRC of another encryption type", 20, true, "krb5_rotation", func(b []byte) []byte { b[7] = 28; return b }},
		{"token too long", 18, true, "krb5_rotation", func(b []byte) []byte { return append(b, 0) }},
		{"token too short", 18, true, "krb5_rotation", func(b []byte) []byte { return b[:len(b)-1] }},
		{"header only", 18, true, "krb5_token_size", func(b []byte) []byte { return b[:16] }},
		{"nothing", 18, true, "krb5_token_size", func([]byte) []byte { return nil }},
		{"filler", 18, true, "krb5_filler", func(b []byte) []byte { b[3] = 0xfe; return b }},
		{"direction", 18, true, "krb5_flags", func(b []byte) []byte { b[2] ^= aesFlagAcceptor; return b }},
		{"not sealed", 18, true, "krb5_flags", func(b []byte) []byte { b[2] ^= aesFlagSealed; return b }},
		{"session key", 18, true, "krb5_flags", func(b []byte) []byte { b[2] ^= aesFlagAcceptorSubkey; return b }},
		{"signing token", 18, true, "krb5_token_id", func(b []byte) []byte { b[0] = 4; return b }},
		{"number of 33 bits", 18, true, "krb5_sequence", func(b []byte) []byte { b[11] = 1; return b }},
		{"signed: sealing token", 17, false, "krb5_token_id", func(b []byte) []byte { b[0] = 5; return b }},
		{"signed: sealed flag", 17, false, "krb5_flags", func(b []byte) []byte { b[2] |= aesFlagSealed; return b }},
		{"signed: filler", 17, false, "krb5_rotation", func(b []byte) []byte { b[6] = 0; return b }},
		{"signed: checksum cut", 17, false, "krb5_token_size", func(b []byte) []byte { return b[:16] }},
		{"rc4: frame of 2 GiB", 23, true, "krb5_token_id", func(b []byte) []byte { b[1] = 0x84; return b }},
		{"rc4: frame of 0", 23, true, "krb5_token_id", func(b []byte) []byte { b[1] = 0; return b }},
		{"rc4: mechanism of 255 bytes", 23, true, "krb5_token_id", func(b []byte) []byte { b[3] = 0xff; return b }},
		{"rc4: no confounder", 23, true, "krb5_token_size", func(b []byte) []byte { return b[:37] }},
		{"rc4: number", 23, false, "krb5_sequence", func(b []byte) []byte { b[21] ^= 1; return b }},
		{"rc4: direction", 23, false, "krb5_direction", func(b []byte) []byte { b[25] ^= 1; return b }},
		{"rc4: SEAL_ALG none", 23, true, "krb5_token_id", func(b []byte) []byte { b[17], b[18] = 0xff, 0xff; return b }},
	} {
		s := newStream(t, tc.etype, Initiator, 7)
		pdu, trailer := newPDU(16, s.TokenSize(tc.seal))
		if err := s.Clone().Protect(pdu, 24, trailer, tc.seal); err != nil {
			t.Fatal(err)
		}
		at := trailer + trailerSize
		pdu = append(pdu[:at:at], tc.spoil(bytes.Clone(pdu[at:]))...)
		if err := s.Unprotect(pdu, 24, trailer, tc.seal); !errors.Is(err, &wire.Error{Class: wire.ClassAuth, Name: tc.want}) {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
}

// RFC 4121 4.2.2 tells receivers to ignore flags that they do not know.
func TestUnknownFlagsAreIgnored(t *testing.T) {
	s := newStream(t, 18, Initiator, 7)
	token := make([]byte, s.TokenSize(false))
	f := s.form.(*aesForm)
	f.putHeader(token, 7, false, len(token))
	token[2] |= 0x80
	copy(token[aesHeaderSize:], f.checksum(parts{}, token[:aesHeaderSize]))
	if err := s.VerifyMIC(nil, token); err != nil {
		t.Error(err)
	}
}

func TestMICsConsumeNumbers(t *testing.T) {
	for _, etype := range etypes {
		send, receive := newStream(t, etype, Acceptor, 7), newStream(t, etype, Acceptor, 7)
		token := make([]byte, send.TokenSize(false))
		mechanisms := []byte("mechanism list")
		if err := send.MIC(mechanisms, token); err != nil {
			t.Fatal(err)
		}
		if err := receive.Clone().VerifyMIC(mechanisms, token); err != nil {
			t.Errorf("etype %d: %v", etype, err)
		}
		altered := receive.Clone()
		wantFailure(t, altered.VerifyMIC(mechanisms[1:], token), wire.ClassAuth, "krb5_checksum")
		if altered.VerifyMIC(mechanisms, token) == nil || altered.MIC(mechanisms, token) == nil {
			t.Errorf("etype %d: the stream recovered", etype)
		}
		wantFailure(t, receive.Clone().VerifyMIC(mechanisms, token[1:]), wire.ClassAuth, "krb5_token_size")
		receive.Skip(len(mechanisms), false)
		if send.Sequence() != 8 || receive.Sequence() != 8 {
			t.Errorf("etype %d: numbers %d, %d", etype, send.Sequence(), receive.Sequence())
		}
	}
}

func TestAllowedGapsArePinnedByTheFirstMessage(t *testing.T) {
	forEachKind(t, func(t *testing.T, etype int32, seal bool) {
		for gap := range uint64(3) {
			send, receive := newStream(t, etype, Initiator, 7+gap), newStream(t, etype, Initiator, 7)
			receive.Allow(1)
			pdu, trailer := newPDU(16, send.TokenSize(seal))
			_ = send.Protect(pdu, 24, trailer, seal)
			err := receive.Unprotect(pdu, 24, trailer, seal)
			if gap > 1 {
				wantFailure(t, err, wire.ClassAuth, "krb5_sequence")
				continue
			}
			if err != nil {
				t.Fatalf("gap %d: %v", gap, err)
			}
			send.Skip(16, seal)
			_ = send.Protect(pdu, 24, trailer, seal)
			wantFailure(t, receive.Unprotect(pdu, 24, trailer, seal), wire.ClassAuth, "krb5_sequence")
		}
	})
}

// RC4 has numbers of 32 bits, AES of 64.
func TestNumbersPass32Bits(t *testing.T) {
	forEachKind(t, func(t *testing.T, etype int32, seal bool) {
		send, receive := newStream(t, etype, Initiator, 1<<32-1), newStream(t, etype, Initiator, 1<<32-1)
		for range 2 {
			pdu, trailer := newPDU(16, send.TokenSize(seal))
			if send.Protect(pdu, 24, trailer, seal) != nil || receive.Unprotect(pdu, 24, trailer, seal) != nil {
				t.Fatal("protection failed")
			}
		}
		want := uint64(1<<32 + 1)
		if etype == etypeRC4 {
			want = 1
		}
		if receive.Sequence() != want {
			t.Errorf("number %#x", receive.Sequence())
		}
	})
}

func TestCloneGoesItsOwnWay(t *testing.T) {
	forEachKind(t, func(t *testing.T, etype int32, seal bool) {
		s := newStream(t, etype, Initiator, 7)
		s.SetHeaderSigning(false)
		first, trailer := newPDU(16, s.TokenSize(seal))
		_ = s.Protect(first, 24, trailer, seal)
		c := s.Clone()
		pdu, _ := newPDU(16, s.TokenSize(seal))
		pdu[0] ^= 1 // unsigned
		for range 2 {
			if err := s.Protect(pdu, 24, trailer, seal); err != nil {
				t.Fatal(err)
			}
		}
		if c.Sequence() != 8 {
			t.Errorf("the clone went along to %d", c.Sequence())
		}
		_ = c.Protect(pdu, 24, trailer, seal)
		receive := newStream(t, etype, Initiator, 8)
		receive.SetHeaderSigning(false)
		if err := receive.Unprotect(pdu, 24, trailer, seal); err != nil {
			t.Error(err)
		}
	})
}

func TestKeysThatHaveNoTokensAreRefused(t *testing.T) {
	for _, key := range []Key{{}, {Etype: 16, Value: make([]byte, 24)}, {Etype: 24, Value: make([]byte, 16)},
		{Etype: 18, Value: make([]byte, 16)}, {Etype: 17}, {Etype: 20, Value: make([]byte, 48)}, {Etype: 23, Value: make([]byte, 15)}} {
		_, err := NewStream(key, Initiator, true, 0)
		wantFailure(t, err, wire.ClassState, "krb5_etype")
	}
	if Initiator.String() != "initiator" || Acceptor.String() != "acceptor" {
		t.Error("roles have other names")
	}
	_, err := NewStream(sequenceKey(18), Role(2), true, 0)
	wantFailure(t, err, wire.ClassState, "krb5_role")
}

func TestStreamsDoNotPrintKeys(t *testing.T) {
	for _, etype := range etypes {
		s := newStream(t, etype, Initiator, 7)
		pdu, trailer := newPDU(16, s.TokenSize(true))
		_ = s.Protect(pdu, 24, trailer, true)
		holder := struct{ s *Stream }{s}
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d", "%q"} {
			if got := fmt.Sprintf(verb, s); got != "krb5 stream at 8" {
				t.Errorf("%s: %s", verb, got)
			}
			// A pointer inside prints as an address.
			if got := fmt.Sprintf(verb, holder); strings.Contains(got, "1 2 3") || strings.Contains(got, "010203") || strings.Contains(got, "0x1, 0x2") {
				t.Errorf("%s: %s", verb, got)
			}
		}
	}
	if got := fmt.Sprint((*Stream)(nil)); got != "<nil>" {
		t.Error(got)
	}
}

func TestWipedStreamsKeepNoKey(t *testing.T) {
	forEachKind(t, func(t *testing.T, etype int32, seal bool) {
		key := sequenceKey(etype)
		s, _ := NewStream(key, Initiator, true, 7)
		pdu, trailer := newPDU(16, s.TokenSize(seal))
		_ = s.Protect(pdu, 24, trailer, seal)
		c := s.Clone()
		s.Wipe()
		for _, err := range []error{s.Protect(pdu, 24, trailer, seal), s.Unprotect(pdu, 24, trailer, seal), s.MIC(nil, nil), s.VerifyMIC(nil, nil)} {
			wantFailure(t, err, wire.ClassState, "krb5_wiped")
		}
		var base []byte
		switch f := s.form.(type) {
		case *aesForm:
			base = f.base
		case *rc4Form:
			base = f.base
		}
		if !bytes.Equal(base, make([]byte, len(key.Value))) {
			t.Error("the key is still there")
		}
		if key.Value[1] != 1 {
			t.Error("the caller's key was wiped")
		}
		if err := c.Protect(pdu, 24, trailer, seal); err != nil {
			t.Errorf("the clone: %v", err)
		}
	})
}
