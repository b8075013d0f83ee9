package krb5

import (
	"crypto/aes"
	"encoding/binary"
	"slices"

	"github.com/oiweiwei/gokrb5.fork/v9/iana/keyusage"
)

// leastProbed is the shortest ciphertext that is probed, in bytes: its first two
// blocks are then in front of those that ciphertext stealing exchanges, and the
// length of what is encrypted has more than one octet. Tickets of Active Directory
// have more than a thousand bytes.
const leastProbed = 256

// mayOpen reports whether a key may open a ticket, by the first octets that it
// makes of it, at a fiftieth of the cost of decrypting a ticket of 2 KiB: hundreds
// of keys may have to be tried, and a ticket may have 64 KiB. Less than one in a
// hundred wrong keys passes.
func mayOpen(cipher []byte, key Key) bool {
	e := encryptionTypeOf(key.Etype)
	if e == nil || len(key.Value) != e.keySize || len(cipher) < leastProbed {
		return e != nil && len(key.Value) == e.keySize
	}
	var plain []byte
	if e.derive != nil {
		plain = e.secondBlock(cipher, key.Value)
	} else {
		plain = rc4Beginning(cipher, key.Value)
	}
	const longLength, longTag = 0x80, 0x7f
	return plain[0] == tagEncTicketPart && plain[1] >= longLength || plain[0] == longTag
}

// secondBlock returns the second block of the plain text of a ticket, which follows
// the confounder (RFC 3962 6, RFC 8009 5).
func (e *encryptionType) secondBlock(cipher, key []byte) []byte {
	block, err := aes.NewCipher(e.encryptionKey(key, keyusage.KDC_REP_TICKET))
	if err != nil {
		panic(err) // encryptionTypes fixes the key sizes
	}
	plain := make([]byte, aes.BlockSize)
	block.Decrypt(plain, cipher[aes.BlockSize:])
	for i := range plain {
		plain[i] ^= cipher[i]
	}
	return plain
}

// rc4Beginning returns what follows the confounder of a ticket (RFC 4757 5).
func rc4Beginning(cipher, key []byte) []byte {
	const sumSize, confounderSize, beginning = 16, 8, 2
	usage := binary.LittleEndian.AppendUint32(nil, keyusage.KDC_REP_TICKET)
	stream := keyStream(hmacMD5(hmacMD5(key, usage), cipher[:sumSize]))
	plain := slices.Clone(cipher[sumSize:][:confounderSize+beginning])
	stream.XORKeyStream(plain, plain)
	return plain[confounderSize:]
}
