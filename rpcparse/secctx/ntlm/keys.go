package ntlm

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/rc4"
	"crypto/subtle"
	"encoding/binary"
	"strings"

	"golang.org/x/crypto/md4" //nolint:staticcheck // broken, and what NTLM is made of

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

// Hash is a secret from which an account proves itself: the NT hash, or the
// NTLMv2 hash made from it.
type Hash [16]byte

// Key is the session key that both ends hold after the handshake
// (ExportedSessionKey). Every other key follows from it.
type Key [16]byte

// NTHash returns the NT hash of a password (MS-NLMP 3.3.1, NTOWFv1). It is
// also the RC4-HMAC Kerberos key of the account.
func NTHash(password string) Hash {
	return md4Sum(AppendUTF16(nil, password))
}

func md4Sum(b []byte) (sum [16]byte) {
	h := md4.New()
	h.Write(b)
	h.Sum(sum[:0])
	return sum
}

// NTOWFv2 returns the NTLMv2 hash of an account (MS-NLMP 3.3.2). Only the user
// name is folded to upper case; domain is used as the client wrote it.
func NTOWFv2(nt Hash, user, domain string) Hash {
	return Hash(hmacMD5(nt[:], AppendUTF16(AppendUTF16(nil, strings.ToUpper(user)), domain)))
}

// proofV2 returns the NTProofStr for blob, what follows the proof in an
// NTLMv2 response.
func proofV2(owf Hash, challenge [ChallengeSize]byte, blob []byte) [proofSize]byte {
	return hmacMD5(owf[:], challenge[:], blob)
}

// VerifyNTLMv2 reports whether ntResponse proves knowledge of owf.
func VerifyNTLMv2(owf Hash, challenge [ChallengeSize]byte, ntResponse []byte) bool {
	if len(ntResponse) <= v1ResponseSize {
		return false
	}
	want := proofV2(owf, challenge, ntResponse[proofSize:])
	return subtle.ConstantTimeCompare(want[:], ntResponse[:proofSize]) == 1
}

// Key derives the session key of the handshake that a ends, with the NT hash
// of the account that it claims. It fails with class auth when the response
// does not prove that hash, and with class state for dialects without extended
// session security.
func (a *Authenticate) Key(nt Hash, challenge [ChallengeSize]byte) (Key, error) {
	if !a.Flags.Has(FlagExtendedSessionSecurity) {
		return Key{}, wire.Errorf(wire.ClassState, "ntlm_dialect", authFlags, "no extended session security")
	}
	exchange, ok := a.exchangeKey(nt, challenge)
	if !ok {
		return Key{}, wire.Errorf(wire.ClassAuth, "ntlm_proof", authNTResponse, "the response does not prove the account's hash")
	}
	if !a.Flags.Has(FlagKeyExchange) {
		return exchange, nil
	}
	if len(a.SessionKey) != len(Key{}) {
		return Key{}, wire.Errorf(wire.ClassInvalid, "ntlm_session_key", authSessionKey, "%d bytes, expected 16", len(a.SessionKey))
	}
	return Key(crypt(exchange, a.SessionKey)), nil
}

// exchangeKey verifies the response and returns the KeyExchangeKey
// (MS-NLMP 3.4.5.1).
func (a *Authenticate) exchangeKey(nt Hash, challenge [ChallengeSize]byte) (Key, bool) {
	if len(a.NTResponse) == v1ResponseSize {
		return exchangeKeyV1(nt, challenge, a.LMResponse, a.NTResponse)
	}
	owf := NTOWFv2(nt, a.User, a.Domain)
	if !VerifyNTLMv2(owf, challenge, a.NTResponse) {
		return Key{}, false
	}
	return hmacMD5(owf[:], a.NTResponse[:proofSize]), true
}

// HandshakeMIC computes the MIC of an AUTHENTICATE over the three messages of
// its handshake (MS-NLMP 3.1.5.1.2), its own MIC field taken as zero.
func HandshakeMIC(key Key, negotiate, challenge, authenticate []byte) [micSize]byte {
	if len(authenticate) < authFixed {
		return hmacMD5(key[:], negotiate, challenge, authenticate)
	}
	var zero [micSize]byte
	return hmacMD5(key[:], negotiate, challenge, authenticate[:authMIC], zero[:], authenticate[authFixed:])
}

// directionKeys returns the signing and the sealing key of one direction
// (MS-NLMP 3.4.5.2, 3.4.5.3).
func directionKeys(key Key, flags Flags, from Side) (sign, seal [16]byte) {
	weak := key[:]
	switch {
	case flags.Has(Flag128):
	case flags.Has(Flag56):
		weak = key[:7]
	default:
		weak = key[:5]
	}
	sign = md5.Sum(append(key[:len(key):len(key)], "session key to "+from.magic()+" signing key magic constant\x00"...))
	seal = md5.Sum(append(weak[:len(weak):len(weak)], "session key to "+from.magic()+" sealing key magic constant\x00"...))
	return sign, seal
}

func hmacMD5(key []byte, parts ...[]byte) (sum [16]byte) {
	h := hmac.New(md5.New, key)
	for _, p := range parts {
		h.Write(p)
	}
	h.Sum(sum[:0])
	return sum
}

// crypt applies RC4 with a fresh key stream.
func crypt(key Key, b []byte) []byte {
	c, err := rc4.NewCipher(key[:])
	if err != nil {
		panic(err) // a key of 16 bytes is always valid
	}
	out := make([]byte, len(b))
	c.XORKeyStream(out, b)
	return out
}

// putSequence writes a sequence number, little-endian whatever the PDU's order.
func putSequence(b []byte, seq uint32) { binary.LittleEndian.PutUint32(b, seq) }
