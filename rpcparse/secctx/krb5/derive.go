package krb5

import (
	"crypto/aes"
	"crypto/hmac"
	"encoding/binary"
	"hash"
)

// The last octet of the constant that derives a key for one purpose from a
// base key (RFC 3961 5.3, RFC 8009 5).
const (
	purposeEncryption byte = 0xaa
	purposeIntegrity  byte = 0x55
	purposeChecksum   byte = 0x99
)

// The key usages of per-message tokens (RFC 4121 2).
const (
	usageAcceptorSeal  uint32 = 22
	usageAcceptorSign  uint32 = 23
	usageInitiatorSeal uint32 = 24
	usageInitiatorSign uint32 = 25
)

// usageConstant is a key usage number, big-endian, followed by a purpose.
func usageConstant(usage uint32, purpose byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, usage), purpose)
}

// deriveRFC3961 returns DK(base, constant) for AES, whose random-to-key
// function changes nothing: as many bytes as base has, which is the size of an
// AES key (RFC 3961 5.1, RFC 3962 6).
func deriveRFC3961(_ func() hash.Hash, base, constant []byte, _ int) []byte {
	block, err := aes.NewCipher(base)
	if err != nil {
		panic(err) // encryptionTypes fixes the key sizes
	}
	derived := make([]byte, 0, 2*aes.BlockSize)
	for state := nfold(constant, aes.BlockSize); len(derived) < len(base); {
		block.Encrypt(state, state)
		derived = append(derived, state...)
	}
	return derived[:len(base)]
}

// nfold returns the n-fold of in, n bytes that depend on every bit of it: the
// ones'-complement sum of the n-byte pieces of copies of in, each rotated 13
// bits further to the right than the one before (RFC 3961 5.1).
func nfold(in []byte, n int) []byte {
	const rotation = 13
	out := make([]byte, n)
	total := lcm(len(in), n)
	carry := 0
	for i := total - 1; i >= 0; i-- {
		carry += int(out[i%n]) + int(rotatedByte(in, i%len(in), rotation*(i/len(in))))
		out[i%n] = byte(carry)
		carry >>= 8
	}
	for i := n - 1; carry > 0; i = (i + n - 1) % n {
		carry += int(out[i])
		out[i] = byte(carry)
		carry >>= 8
	}
	return out
}

// rotatedByte returns byte i of in rotated right by so many bits.
func rotatedByte(in []byte, i, bits int) byte {
	start := 8*(i+len(in)) - bits%(8*len(in))
	hi := in[start/8%len(in)]
	lo := in[(start/8+1)%len(in)]
	return byte((uint16(hi)<<8 | uint16(lo)) >> (8 - start%8))
}

func lcm(a, b int) int {
	x, y := a, b
	for y != 0 {
		x, y = y, x%y
	}
	return a / x * b
}

// deriveRFC8009 returns KDF-HMAC-SHA2(base, label, 8*size), size bytes. One
// block of the hash is always enough (RFC 8009 3).
func deriveRFC8009(newHash func() hash.Hash, base, label []byte, size int) []byte {
	mac := hmac.New(newHash, base)
	mac.Write([]byte{0, 0, 0, 1})
	mac.Write(label)
	mac.Write([]byte{0})
	mac.Write(binary.BigEndian.AppendUint32(nil, uint32(8*size)))
	return mac.Sum(nil)[:size]
}
