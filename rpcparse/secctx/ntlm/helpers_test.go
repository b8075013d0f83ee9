package ntlm

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The common values of MS-NLMP 4.2.1.
var (
	specServerChallenge = [8]byte{0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef}
	specClientChallenge = [8]byte(bytes.Repeat([]byte{0xaa}, 8))
	specKey             = Key(bytes.Repeat([]byte{0x55}, 16))
	specFlags           = FlagUnicode | FlagExtendedSessionSecurity | FlagSign | FlagSeal | FlagKeyExchange | Flag128 | Flag56
)

// handshake runs a whole handshake and returns its messages.
func handshake(t testing.TB, i *Initiator, s *Acceptor) (negotiate, challenge, authenticate []byte) {
	t.Helper()
	negotiate, err := i.Negotiate()
	if err != nil {
		t.Fatal(err)
	}
	challenge, err = s.Challenge(negotiate)
	if err != nil {
		t.Fatal(err)
	}
	authenticate, err = i.Authenticate(challenge)
	if err != nil {
		t.Fatal(err)
	}
	return negotiate, challenge, authenticate
}

// accounts is a directory of one account, LAB\alice.
func accounts(domain, user string) (Hash, bool) {
	return NTHash("Secret.123"), strings.EqualFold(user, "alice")
}
