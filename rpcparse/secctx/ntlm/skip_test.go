package ntlm

import (
	"bytes"
	"testing"
)

// message is a PDU of the tests: 24 bytes of header, a body, trailer, token.
func message(n int) (pdu []byte, body, trailer int) {
	return make([]byte, 24+n+trailerSize+TokenSize), 24, 24 + n
}

func TestSkippedPDUsAdvanceTheStreamAsUnprotectedOnesDo(t *testing.T) {
	for _, seal := range []bool{false, true} {
		for _, flags := range []Flags{FlagExtendedSessionSecurity, FlagExtendedSessionSecurity | FlagKeyExchange | Flag128} {
			sender, err := NewStream(Key{1}, flags, FromClient)
			if err != nil {
				t.Fatal(err)
			}
			receiver, err := NewStream(Key{1}, flags, FromClient)
			if err != nil {
				t.Fatal(err)
			}
			for n := range 300 {
				pdu, body, trailer := message(n * 16)
				if err := sender.Protect(pdu, body, trailer, seal); err != nil {
					t.Fatal(err)
				}
				if n%7 != 0 {
					receiver.Skip(trailer-body, seal)
				} else if err := receiver.Unprotect(pdu, body, trailer, seal); err != nil {
					t.Fatalf("seal %t, message %d: %v", seal, n, err)
				}
			}
		}
	}
}

func TestCloneGoesItsOwnWay(t *testing.T) {
	flags := FlagExtendedSessionSecurity | FlagKeyExchange | Flag128
	s, err := NewStream(Key{1}, flags, FromServer)
	if err != nil {
		t.Fatal(err)
	}
	first, body, trailer := message(32)
	if err := s.Protect(first, body, trailer, true); err != nil {
		t.Fatal(err)
	}
	c := s.Clone()
	a, _, _ := message(32)
	b, _, _ := message(32)
	if err := s.Protect(a, body, trailer, true); err != nil {
		t.Fatal(err)
	}
	if err := c.Protect(b, body, trailer, true); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a, b) || bytes.Equal(a, first) {
		t.Error("the clone is not in the state of its original")
	}
}
