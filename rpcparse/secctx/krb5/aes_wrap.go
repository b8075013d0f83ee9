package krb5

import (
	"crypto/aes"
	"crypto/subtle"
	"hash"
)

// defaultEC is the filler of a sealed token: one AES block. Windows refuses
// tokens without any.
const defaultEC = aes.BlockSize

// maxEC is the largest filler that is accepted. Peers are seen to send 0 to 16.
const maxEC = 64

// confounderSize is that of the random bytes in front of a sealed message.
const confounderSize = aes.BlockSize

// A sealed message (RFC 4121 4.2.4, with the pieces in the places that DCE
// style gives them). The ciphertext is that of
//
//	confounder 16 | body | filler EC | clear header with RRC 0
//
// and lies, with its checksum, rotated right by RRC+EC, so that only the body
// keeps its place in the PDU and the rest is the token:
//
//	clear header 16 | filler EC, header 16 | checksum | confounder 16
//
// RRC counts the encrypted header and the checksum. That the rotation is
// RRC+EC, not RRC, is a mistake of Windows that everybody repeats.
type aesWrap struct {
	header     []byte // in clear
	tail       []byte // filler and header
	mac        []byte
	confounder []byte
}

// wrapSize returns the size of a sealed token with a filler of ec bytes.
func (f *aesForm) wrapSize(ec int) int {
	return 2*aesHeaderSize + ec + f.etype.macSize + confounderSize
}

func (f *aesForm) rotation() uint16 { return uint16(aesHeaderSize + f.etype.macSize) }

func (f *aesForm) wrap(token []byte) aesWrap {
	confounder := len(token) - confounderSize
	mac := confounder - f.etype.macSize
	return aesWrap{
		header:     token[:aesHeaderSize],
		tail:       token[aesHeaderSize:mac],
		mac:        token[mac:confounder],
		confounder: token[confounder:],
	}
}

// aesSealer is what only sealed messages need.
type aesSealer struct {
	mac    hash.Hash
	cipher *cts
}

func (f *aesForm) sealing() *aesSealer {
	if f.sealer == nil {
		usage := usageInitiatorSeal
		if f.flags&aesFlagAcceptor != 0 {
			usage = usageAcceptorSeal
		}
		f.sealer = &aesSealer{
			mac:    f.etype.newMAC(f.base, usage, purposeIntegrity),
			cipher: newCTS(f.etype.encryptionKey(f.base, usage)),
		}
	}
	return f.sealer
}

func (f *aesForm) seal(p parts, number uint64, token []byte) {
	s := f.sealing()
	w := f.wrap(token)
	f.putHeader(w.header, number, true, len(token))
	filler, header := w.split()
	for i := range filler {
		filler[i] = 0xff
	}
	putInnerHeader(header, w.header)
	random(w.confounder)
	if f.etype.encryptThenMAC {
		s.cipher.encrypt(w.confounder, p.body, w.tail)
		copy(w.mac, f.sealedChecksum(p, w))
		return
	}
	copy(w.mac, f.sealedChecksum(p, w))
	s.cipher.encrypt(w.confounder, p.body, w.tail)
}

func (f *aesForm) open(p parts, _ uint64, token []byte) bool {
	s := f.sealing()
	w := f.wrap(token)
	if f.etype.encryptThenMAC {
		if subtle.ConstantTimeCompare(f.sealedChecksum(p, w), w.mac) != 1 {
			return false
		}
		s.cipher.decrypt(w.confounder, p.body, w.tail)
		return w.headersAgree()
	}
	s.cipher.decrypt(w.confounder, p.body, w.tail)
	same := subtle.ConstantTimeCompare(f.sealedChecksum(p, w), w.mac) == 1
	return w.headersAgree() && same
}

// sealedChecksum covers all pieces in the order of the message. It is valid
// until the next call.
func (f *aesForm) sealedChecksum(p parts, w aesWrap) []byte {
	mac := f.sealer.mac
	mac.Reset()
	if f.etype.encryptThenMAC {
		mac.Write(zeroBlock[:]) // the initial vector (RFC 8009 5)
	}
	mac.Write(w.confounder)
	mac.Write(p.header)
	mac.Write(p.body)
	mac.Write(p.trailer)
	mac.Write(w.tail)
	return mac.Sum(f.sum[:0])[:f.etype.macSize]
}

// split returns the two pieces of the tail.
func (w aesWrap) split() (filler, header []byte) {
	ec := len(w.tail) - aesHeaderSize
	return w.tail[:ec], w.tail[ec:]
}

// headersAgree compares the decrypted header with the clear one.
func (w aesWrap) headersAgree() bool {
	var want [aesHeaderSize]byte
	putInnerHeader(want[:], w.header)
	_, header := w.split()
	return subtle.ConstantTimeCompare(want[:], header) == 1
}

// putInnerHeader writes the copy of a clear header that is encrypted.
func putInnerHeader(inner, clear []byte) {
	copy(inner, clear)
	inner[6], inner[7] = 0, 0 // RRC
}
