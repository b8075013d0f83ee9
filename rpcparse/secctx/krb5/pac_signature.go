package krb5

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"encoding/binary"

	"github.com/oiweiwei/gokrb5.fork/v9/crypto"
	"github.com/oiweiwei/gokrb5.fork/v9/iana/keyusage"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

const namePACSignature = "pac_signature"

// pacSignatureOffset is where a PAC_SIGNATURE_DATA has its signature, behind the
// type.
const pacSignatureOffset = 4

// checksumType of a PAC_SIGNATURE_DATA (MS-PAC 2.8), as the wire has it.
type checksumType uint32

// size returns how many bytes a signature of that type has; ok is false if no
// key of a supported encryption type makes one.
func (c checksumType) size() (n int, ok bool) {
	for i := range encryptionTypes {
		if encryptionTypes[i].pacChecksum == c {
			return encryptionTypes[i].macSize, true
		}
	}
	return 0, false
}

// verifyPAC checks the server signature (type 6) of a PAC: over the whole PAC
// with that signature and the KDC's (type 7) zeroed (MS-PAC 2.8.1).
func verifyPAC(b []byte, buffers []pacBuffer, service Key) error {
	if err := checkKey(service, "key for the PAC"); err != nil {
		return err
	}
	server, ok := find(buffers, pacServerSignature)
	if !ok {
		return wire.Errorf(wire.ClassAuth, namePACSignature, 0, "no server signature")
	}
	kind, signature, err := pacSignature(server)
	if err != nil {
		return err
	}
	// An unkeyed type, or one of another kind of key, is a forgery.
	if want := encryptionTypeOf(service.Etype).pacChecksum; kind != want && kind != checksumHMACMD5 {
		return wire.Errorf(wire.ClassAuth, namePACSignature, server.offset, "type %#x, a key of encryption type %d signs with %#x", uint32(kind), service.Etype, uint32(want))
	}
	for _, whole := range [...]bool{false, true} {
		sum, err := checksum(kind, service, signedPAC(b, buffers, whole))
		if err != nil {
			return err
		}
		if hmac.Equal(sum, signature) {
			return nil
		}
	}
	return wire.Errorf(wire.ClassAuth, namePACSignature, server.offset, "not made with the service's key")
}

// signedPAC returns what the server signature signs: the PAC with zeros for both
// signatures. With whole, what follows a signature in its buffer is zero too: a
// read-only domain controller puts its number there (MS-PAC 2.8), and KDCs differ
// in when they do.
func signedPAC(b []byte, buffers []pacBuffer, whole bool) []byte {
	signed := bytes.Clone(b)
	for _, kind := range [...]pacType{pacServerSignature, pacKDCSignature} {
		buffer, ok := find(buffers, kind)
		if !ok || len(buffer.data) < pacSignatureOffset {
			continue
		}
		size := len(buffer.data) - pacSignatureOffset
		if _, signature, err := pacSignature(buffer); err == nil && !whole {
			size = len(signature)
		}
		clear(signed[buffer.offset+pacSignatureOffset:][:size])
	}
	return signed
}

// pacSignature reads PAC_SIGNATURE_DATA: type, signature, and for a read-only
// domain controller its number, which is signed like the rest.
func pacSignature(b pacBuffer) (checksumType, []byte, error) {
	if len(b.data) < pacSignatureOffset {
		return 0, nil, wire.Short(namePACSignature, b.offset, len(b.data), pacSignatureOffset)
	}
	kind := checksumType(binary.LittleEndian.Uint32(b.data))
	size, ok := kind.size()
	if !ok {
		return 0, nil, wire.Errorf(wire.ClassInvalid, namePACSignature, b.offset, "unknown type %#x", uint32(kind))
	}
	if len(b.data) < pacSignatureOffset+size {
		return 0, nil, wire.Short(namePACSignature, b.offset+pacSignatureOffset, len(b.data), pacSignatureOffset+size)
	}
	return kind, b.data[pacSignatureOffset : pacSignatureOffset+size], nil
}

// checksumHMACMD5 is made with keys of every type: KDCs of Windows Server 2008 sign
// so, whatever the key of the service, and servers accept it (Heimdal's pac.c).
const checksumHMACMD5 checksumType = 0xffffff76

// checksum is the keyed checksum of that type, which is HMAC-MD5 or the key's own.
func checksum(kind checksumType, key Key, b []byte) (sum []byte, err error) {
	if kind == checksumHMACMD5 {
		message := md5.New()
		message.Write(binary.LittleEndian.AppendUint32(nil, keyusage.KERB_NON_KERB_CKSUM_SALT))
		message.Write(b)
		return hmacMD5(hmacMD5(key.Value, []byte("signaturekey\x00")), message.Sum(nil)), nil
	}
	err = guarded("PAC", func() error {
		e, err := crypto.GetEtype(key.Etype)
		if err != nil {
			return err
		}
		sum, err = e.GetChecksumHash(key.Value, b, keyusage.KERB_NON_KERB_CKSUM_SALT)
		return err
	})
	return sum, err
}
