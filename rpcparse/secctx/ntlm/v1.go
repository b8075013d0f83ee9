package ntlm

import (
	"crypto/des"
	"crypto/md5"
	"crypto/subtle"
)

// exchangeKeyV1 verifies an NTLMv1 response with extended session security
// (MS-NLMP 3.3.1) and returns its KeyExchangeKey.
func exchangeKeyV1(nt Hash, challenge [ChallengeSize]byte, lm, response []byte) (Key, bool) {
	if len(lm) < ChallengeSize {
		return Key{}, false
	}
	both := append(challenge[:], lm[:ChallengeSize]...)
	digest := md5.Sum(both)
	want := desl(nt, [8]byte(digest[:8]))
	if subtle.ConstantTimeCompare(want[:], response) != 1 {
		return Key{}, false
	}
	base := md4Sum(nt[:])
	return hmacMD5(base[:], both), true
}

// desl encrypts data under three DES keys taken from a hash (MS-NLMP 6, DESL).
func desl(key Hash, data [8]byte) (out [v1ResponseSize]byte) {
	var k [21]byte
	copy(k[:], key[:])
	for i := range 3 {
		c, err := des.NewCipher(spread([7]byte(k[7*i:])))
		if err != nil {
			panic(err) // a key of 8 bytes is always valid
		}
		c.Encrypt(out[8*i:], data[:])
	}
	return out
}

// spread inserts DES's parity bits, which nobody checks.
func spread(k [7]byte) []byte {
	var v uint64
	for _, b := range k {
		v = v<<8 | uint64(b)
	}
	out := make([]byte, 8)
	for i := range out {
		out[i] = byte(v>>(56-7*(i+1))) << 1
	}
	return out
}
