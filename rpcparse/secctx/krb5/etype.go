package krb5

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"hash"
)

// The numbers of encryption types (RFC 3961 11.3, RFC 8009 8, RFC 4757 5).
const (
	etypeAES128SHA1 int32 = 17 // aes128-cts-hmac-sha1-96
	etypeAES256SHA1 int32 = 18 // aes256-cts-hmac-sha1-96
	etypeAES128SHA2 int32 = 19 // aes128-cts-hmac-sha256-128
	etypeAES256SHA2 int32 = 20 // aes256-cts-hmac-sha384-192
	etypeRC4        int32 = 23 // arcfour-hmac, whose keys are NT hashes
)

// encryptionType is all that tells one encryption type from another. To add one,
// add a row to encryptionTypes and, if its tokens are of another kind, a form.
// Sizes are in bytes.
type encryptionType struct {
	number         int32
	keySize        int
	confounderSize int          // in front of an encrypted message
	macSize        int          // of the checksum behind it, of a PAC's signature, and in tokens of RFC 4121
	pacChecksum    checksumType // the one type of signature that its keys make

	// newForm returns the format of its tokens.
	newForm func(e *encryptionType, base []byte, from Role, acceptorSubkey bool) form

	// For tokens of RFC 4121:
	newHash func() hash.Hash
	// derive returns the key for a purpose.
	derive func(newHash func() hash.Hash, base, constant []byte, size int) []byte
	// encryptThenMAC: the checksum covers the ciphertext (RFC 8009), else the
	// plaintext (RFC 3962).
	encryptThenMAC bool
}

// encryptionTypes are in the order in which a client asks for them, that of MIT's.
var encryptionTypes = [...]encryptionType{
	{
		number: etypeAES256SHA1, keySize: 32, confounderSize: 16, macSize: 12, pacChecksum: 0x10,
		newForm: newAESForm, newHash: sha1.New, derive: deriveRFC3961,
	},
	{
		number: etypeAES128SHA1, keySize: 16, confounderSize: 16, macSize: 12, pacChecksum: 0x0f,
		newForm: newAESForm, newHash: sha1.New, derive: deriveRFC3961,
	},
	{
		number: etypeAES256SHA2, keySize: 32, confounderSize: 16, macSize: 24, pacChecksum: 0x14,
		newForm: newAESForm, newHash: sha512.New384, derive: deriveRFC8009, encryptThenMAC: true,
	},
	{
		number: etypeAES128SHA2, keySize: 16, confounderSize: 16, macSize: 16, pacChecksum: 0x13,
		newForm: newAESForm, newHash: sha256.New, derive: deriveRFC8009, encryptThenMAC: true,
	},
	{
		number: etypeRC4, keySize: 16, confounderSize: 8, macSize: 16, pacChecksum: 0xffffff76,
		newForm: newRC4Form,
	},
}

// Types returns the numbers of the supported encryption types, those that a client
// prefers first.
func Types() []int32 {
	var list []int32
	for _, e := range encryptionTypes {
		list = append(list, e.number)
	}
	return list
}

// encryptionTypeOf returns the encryption type of that number; nil: it is not
// supported.
func encryptionTypeOf(number int32) *encryptionType {
	for i := range encryptionTypes {
		if encryptionTypes[i].number == number {
			return &encryptionTypes[i]
		}
	}
	return nil
}

// minCipher is the least that a ciphertext has.
func (e *encryptionType) minCipher() int { return e.confounderSize + e.macSize }

// encryptionKey derives a key for encryption from a base key.
func (e *encryptionType) encryptionKey(base []byte, usage uint32) []byte {
	return e.derive(e.newHash, base, usageConstant(usage, purposeEncryption), e.keySize)
}

// newMAC returns a hash that is keyed for a purpose.
func (e *encryptionType) newMAC(base []byte, usage uint32, purpose byte) hash.Hash {
	return hmac.New(e.newHash, e.derive(e.newHash, base, usageConstant(usage, purpose), e.macSize))
}
