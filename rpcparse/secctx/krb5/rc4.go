package krb5

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"crypto/rc4"
	"crypto/subtle"
	"encoding/binary"
	"hash"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

// A token of RFC 4757, DCE style: the length in its frame excludes the body,
// and there is no padding behind that.
//
//	 0  60 23 06 09 2a864886f712010202   frame, size (2b if sealed), mechanism
//	13  01 01 11 00 ff ff ff ff          TOK_ID, SGN_ALG, SEAL_ALG, filler
//	    02 01 11 00 10 00 ff ff          the same if sealed
//	21  SND_SEQ 8                        encrypted
//	29  SGN_CKSUM 8
//	37  confounder 8                     encrypted; if sealed
const (
	rc4FrameSize      = 13
	rc4SequenceAt     = 21
	rc4ChecksumAt     = 29
	rc4SignedSize     = 37
	rc4SealedSize     = 45
	rc4ChecksumSize   = rc4SignedSize - rc4ChecksumAt
	rc4SignedPreamble = "\x60\x23\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x02\x01\x01\x11\x00\xff\xff\xff\xff"
	rc4SealedPreamble = "\x60\x2b\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x02\x02\x01\x11\x00\x10\x00\xff\xff"
)

// The message types that salt checksums (RFC 4757 3).
const (
	rc4UsageSealed uint32 = 13
	rc4UsageSigned uint32 = 15
)

// rc4Form makes and takes the tokens of RFC 4757. It allocates four key
// streams for a sealed message that goes in and out again: RC4 of the standard
// library cannot be re-keyed, and every message has its own keys.
type rc4Form struct {
	base     []byte
	from     Role
	keys     *rc4Keys
	scratch  [md5.Size]byte
	sequence [8]byte
}

// rc4Keys are the keyed hashes that follow from the base key.
type rc4Keys struct {
	digest   hash.Hash // MD5
	sign     hash.Hash // of the digest of a message: its checksum
	sequence hash.Hash // of a checksum: the key of SND_SEQ
	crypt    hash.Hash // of a number: the key of confounder and body
}

func newRC4Form(_ *encryptionType, base []byte, from Role, _ bool) form {
	return &rc4Form{base: bytes.Clone(base), from: from}
}

// numberMask: a number has half of SND_SEQ.
func (f *rc4Form) numberMask() uint64 { return 0xffffffff }

func (f *rc4Form) clone() form { return &rc4Form{base: bytes.Clone(f.base), from: f.from} }

func (f *rc4Form) wipe() {
	clear(f.base)
	f.keys = nil
}

func (f *rc4Form) derive() *rc4Keys {
	if f.keys != nil {
		return f.keys
	}
	var zero [4]byte
	crypt := make([]byte, len(f.base))
	for i, b := range f.base {
		crypt[i] = b ^ 0xf0
	}
	f.keys = &rc4Keys{
		digest:   md5.New(),
		sign:     hmac.New(md5.New, hmacMD5(f.base, []byte("signaturekey\x00"))),
		sequence: hmac.New(md5.New, hmacMD5(f.base, zero[:])),
		crypt:    hmac.New(md5.New, hmacMD5(crypt, zero[:])),
	}
	return f.keys
}

func hmacMD5(key, message []byte) []byte {
	mac := hmac.New(md5.New, key)
	mac.Write(message)
	return mac.Sum(nil)
}

func (f *rc4Form) size(seal bool) int {
	if seal {
		return rc4SealedSize
	}
	return rc4SignedSize
}

func (f *rc4Form) fits(n int, seal bool) bool { return n == f.size(seal) }

// number checks the preamble and decrypts SND_SEQ.
func (f *rc4Form) number(token []byte, seal bool) (uint64, *wire.Error) {
	if preamble := rc4Preamble(seal); string(token[:len(preamble)]) != preamble {
		return 0, wire.Errorf(wire.ClassAuth, "krb5_token_id", 0, "%x, expected %x", token[:len(preamble)], preamble)
	}
	f.cryptSequence(f.sequence[:], token[rc4SequenceAt:rc4ChecksumAt], token[rc4ChecksumAt:rc4SignedSize])
	number, direction := binary.BigEndian.Uint32(f.sequence[:]), binary.BigEndian.Uint32(f.sequence[4:])
	if direction != f.direction() {
		return 0, wire.Errorf(wire.ClassAuth, "krb5_direction", rc4SequenceAt, "number or checksum of another context or direction")
	}
	return uint64(number), nil
}

func rc4Preamble(seal bool) string {
	if seal {
		return rc4SealedPreamble
	}
	return rc4SignedPreamble
}

// direction is the second half of SND_SEQ.
func (f *rc4Form) direction() uint32 {
	if f.from == Acceptor {
		return 0xffffffff
	}
	return 0
}

func (f *rc4Form) sign(p parts, number uint64, token []byte) {
	copy(token, rc4SignedPreamble)
	copy(token[rc4ChecksumAt:], f.checksum(p, nil, false))
	f.putSequence(token, number)
}

func (f *rc4Form) verify(p parts, _ uint64, token []byte) bool {
	return sameRC4Checksum(f.checksum(p, nil, false), token)
}

func (f *rc4Form) seal(p parts, number uint64, token []byte) {
	copy(token, rc4SealedPreamble)
	confounder := token[rc4SignedSize:]
	random(confounder)
	copy(token[rc4ChecksumAt:], f.checksum(p, confounder, true))
	f.putSequence(token, number)
	f.crypt(confounder, p.body, number)
}

func (f *rc4Form) open(p parts, number uint64, token []byte) bool {
	confounder := token[rc4SignedSize:]
	f.crypt(confounder, p.body, number)
	return sameRC4Checksum(f.checksum(p, confounder, true), token)
}

func sameRC4Checksum(sum, token []byte) bool {
	return subtle.ConstantTimeCompare(sum, token[rc4ChecksumAt:rc4SignedSize]) == 1
}

// checksum covers the constant half of the preamble, the confounder and the
// message. It is valid until the next call.
func (f *rc4Form) checksum(p parts, confounder []byte, seal bool) []byte {
	k := f.derive()
	usage := rc4UsageSigned
	if seal {
		usage = rc4UsageSealed
	}
	k.digest.Reset()
	k.digest.Write(binary.LittleEndian.AppendUint32(f.scratch[:0], usage))
	k.digest.Write(append(f.scratch[:0], rc4Preamble(seal)[rc4FrameSize:]...))
	k.digest.Write(confounder)
	k.digest.Write(p.header)
	k.digest.Write(p.body)
	k.digest.Write(p.trailer)
	return f.keyed(k.sign, k.digest.Sum(f.scratch[:0]))[:rc4ChecksumSize]
}

// putSequence writes SND_SEQ under the checksum that the token already has.
func (f *rc4Form) putSequence(token []byte, number uint64) {
	sequence := token[rc4SequenceAt:rc4ChecksumAt]
	binary.BigEndian.PutUint32(sequence, uint32(number))
	binary.BigEndian.PutUint32(sequence[4:], f.direction())
	f.cryptSequence(sequence, sequence, token[rc4ChecksumAt:rc4SignedSize])
}

// cryptSequence encrypts or decrypts SND_SEQ.
func (f *rc4Form) cryptSequence(dst, src, checksum []byte) {
	keyStream(f.keyed(f.derive().sequence, checksum)).XORKeyStream(dst, src)
}

// crypt encrypts or decrypts confounder and body, one key stream.
func (f *rc4Form) crypt(confounder, body []byte, number uint64) {
	salt := binary.BigEndian.AppendUint32(f.scratch[:0], uint32(number))
	stream := keyStream(f.keyed(f.derive().crypt, salt))
	stream.XORKeyStream(confounder, confounder)
	stream.XORKeyStream(body, body)
}

// keyed returns the keyed hash of message, which may lie in scratch, as the
// result does.
func (f *rc4Form) keyed(mac hash.Hash, message []byte) []byte {
	mac.Reset()
	mac.Write(message)
	return mac.Sum(f.scratch[:0])
}

func keyStream(key []byte) *rc4.Cipher {
	stream, err := rc4.NewCipher(key)
	if err != nil {
		panic(err) // a hash is a valid key
	}
	return stream
}
