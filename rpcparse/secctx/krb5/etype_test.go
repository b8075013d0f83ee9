package krb5

import (
	"fmt"
	"testing"

	"github.com/oiweiwei/gokrb5.fork/v9/crypto"
)

// TestEncryptionTypesAreThoseOfTheLibrary compares what the table says with what
// an independent implementation says.
func TestEncryptionTypesAreThoseOfTheLibrary(t *testing.T) {
	for _, e := range encryptionTypes {
		t.Run(fmt.Sprint(e.number), func(t *testing.T) {
			library, err := crypto.GetEtype(e.number)
			must(t, 0, err)
			if got := library.GetHMACBitLength() / 8; got != e.macSize {
				t.Errorf("a checksum of %d bytes, the library's has %d", e.macSize, got)
			}
			if got := library.GetConfounderByteSize(); got != e.confounderSize {
				t.Errorf("a confounder of %d bytes, the library's has %d", e.confounderSize, got)
			}
			if got := checksumType(library.GetHashID()); got != e.pacChecksum {
				t.Errorf("checksum type %#x, the library's is %#x", e.pacChecksum, got)
			}
			sum, err := library.GetChecksumHash(secret(e.number, 1).Value, []byte("message"), 17)
			must(t, 0, err)
			if size, ok := e.pacChecksum.size(); !ok || size != len(sum) {
				t.Errorf("signatures of %d bytes, the library's have %d", size, len(sum))
			}
			_, cipher, err := library.EncryptMessage(secret(e.number, 1).Value, nil, 2)
			must(t, 0, err)
			if len(cipher) != e.minCipher() {
				t.Errorf("the ciphertext of nothing has %d bytes, the library's %d", e.minCipher(), len(cipher))
			}
		})
	}
}

func TestNumbersThatAreNoEncryptionTypeAreUnknown(t *testing.T) {
	for _, number := range []int32{-1, 0, 1, 3, 16, 21, 22, 24, 1 << 30} {
		if encryptionTypeOf(number) != nil {
			t.Error(number)
		}
	}
	for _, c := range []checksumType{0, 1, 7, 0x11, 0x12, 0xffffff77} {
		if size, ok := c.size(); ok {
			t.Errorf("type %#x has %d bytes", c, size)
		}
	}
}
