package krb5

import (
	"errors"

	"github.com/oiweiwei/gokrb5.fork/v9/crypto"
	"github.com/oiweiwei/gokrb5.fork/v9/types"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

// maxMessage bounds a Kerberos message, in bytes: auth_length has 16 bits, so
// no longer one arrives in a PDU.
const maxMessage = 65535

// Names of errors that say which guard refused; stable, for metrics.
const (
	nameLibraryPanic = "kerberos_library_panic"
	nameLibrary      = "kerberos_library"
	nameEtype        = "kerberos_etype"
	nameCipher       = "kerberos_cipher"
	nameIntegrity    = "kerberos_integrity"
)

// guarded runs a call into a library that reads hostile bytes. Neither its
// error nor what it panics with is passed on: both may quote what was read,
// and that may be a key.
func guarded(what string, call func() error) (err error) {
	defer func() {
		if recover() != nil {
			err = wire.Errorf(wire.ClassInvalid, nameLibraryPanic, 0, "reading the %s", what)
		}
	}()
	if call() != nil {
		return wire.Errorf(wire.ClassInvalid, nameLibrary, 0, "the %s cannot be read", what)
	}
	return nil
}

// checkKey refuses keys of unknown types and of wrong size.
func checkKey(k Key, what string) error {
	e := encryptionTypeOf(k.Etype)
	if e == nil {
		return wire.Errorf(wire.ClassInvalid, nameEtype, 0, "the %s has encryption type %d, which is not supported", what, k.Etype)
	}
	if len(k.Value) != e.keySize {
		return wire.Errorf(wire.ClassInvalid, nameEtype, 0, "the %s has %d bytes, encryption type %d needs %d", what, len(k.Value), k.Etype, e.keySize)
	}
	return nil
}

// Decrypt opens one EncryptedData with the encryption type of the key: what the
// message says of it is in clear, and servers do not ask. The length comes first,
// as the library slices a shorter ciphertext beyond its end, then decryption, then
// the checksum in constant time. The result is a copy.
func Decrypt(ed types.EncryptedData, key Key, usage uint32, what string) (plain []byte, err error) {
	if err := checkKey(key, "key for the "+what); err != nil {
		return nil, err
	}
	if least := encryptionTypeOf(key.Etype).minCipher(); len(ed.Cipher) < least {
		return nil, wire.Errorf(wire.ClassInvalid, nameCipher, 0, "the %s has %d bytes, encryption type %d at least %d", what, len(ed.Cipher), key.Etype, least)
	}
	err = guarded(what, func() (err error) {
		plain, err = crypto.DecryptMessage(ed.Cipher, types.EncryptionKey{KeyType: key.Etype, KeyValue: key.Value}, usage)
		return err
	})
	if errors.Is(err, &wire.Error{Name: nameLibrary}) {
		return nil, wire.Errorf(wire.ClassAuth, nameIntegrity, 0, "the key does not open the %s", what)
	}
	return plain, err
}

// Decode lets a library read the first DER element in b, which has at most 65535
// bytes, as canonical writes it. Neither the error of the library nor a panic in
// it is passed on.
func Decode(b []byte, what string, unmarshal func([]byte) error) error {
	der, err := canonical(b, what)
	if err != nil {
		return err
	}
	return guarded(what, func() error { return unmarshal(der) })
}
