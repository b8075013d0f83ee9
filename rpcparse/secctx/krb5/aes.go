package krb5

import (
	"bytes"
	"crypto/rand"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/binary"
	"hash"
	"math"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

// The sixteen bytes in front of a token of RFC 4121 4.2.6. A signing token
// goes on with its checksum; for the rest of a sealing one see aesWrap.
//
//	0  TOK_ID u16    0x0404 signed, 0x0504 sealed
//	2  Flags u8
//	3  filler        ff
//	4  EC u16        size of the filler behind the body; ffff if signed
//	6  RRC u16       right rotation of what follows;     ffff if signed
//	8  SND_SEQ u64   big-endian
const aesHeaderSize = 16

const (
	aesTokenSigned uint16 = 0x0404
	aesTokenSealed uint16 = 0x0504
)

// Flags of a token. The others are reserved and ignored (RFC 4121 4.2.2).
const (
	aesFlagAcceptor       byte = 1
	aesFlagSealed         byte = 2
	aesFlagAcceptorSubkey byte = 4
	aesFlags                   = aesFlagAcceptor | aesFlagSealed | aesFlagAcceptorSubkey
)

// aesForm makes and takes the tokens of RFC 4121, DCE style.
type aesForm struct {
	etype  *encryptionType
	base   []byte
	flags  byte // of signed tokens
	signer hash.Hash
	sealer *aesSealer
	sum    [sha512.Size384]byte
	want   [aesHeaderSize]byte
}

func newAESForm(e *encryptionType, base []byte, from Role, acceptorSubkey bool) form {
	f := &aesForm{etype: e, base: bytes.Clone(base)}
	if from == Acceptor {
		f.flags |= aesFlagAcceptor
	}
	if acceptorSubkey {
		f.flags |= aesFlagAcceptorSubkey
	}
	return f
}

func (f *aesForm) numberMask() uint64 { return math.MaxUint64 }

func (f *aesForm) clone() form {
	return &aesForm{etype: f.etype, base: bytes.Clone(f.base), flags: f.flags}
}

func (f *aesForm) wipe() {
	clear(f.base)
	f.signer, f.sealer = nil, nil
}

func (f *aesForm) size(seal bool) int {
	if seal {
		return f.wrapSize(defaultEC)
	}
	return aesHeaderSize + f.etype.macSize
}

func (f *aesForm) fits(n int, seal bool) bool {
	if seal {
		return f.wrapSize(0) <= n && n <= f.wrapSize(maxEC)
	}
	return n == aesHeaderSize+f.etype.macSize
}

// number checks the clear header of a token.
func (f *aesForm) number(token []byte, seal bool) (uint64, *wire.Error) {
	want := f.want[:]
	number := binary.BigEndian.Uint64(token[8:])
	f.putHeader(want, number, seal, len(token))
	switch {
	case [2]byte(token) != [2]byte(want):
		return 0, wire.Errorf(wire.ClassAuth, "krb5_token_id", 0, "id %x, expected %x", token[:2], want[:2])
	case token[2]&aesFlags != want[2]:
		return 0, wire.Errorf(wire.ClassAuth, "krb5_flags", 2, "flags %#x, expected %#x", token[2], want[2])
	case token[3] != want[3]:
		return 0, wire.Errorf(wire.ClassAuth, "krb5_filler", 3, "%#x, expected %#x", token[3], want[3])
	case [4]byte(token[4:]) != [4]byte(want[4:]):
		return 0, wire.Errorf(wire.ClassAuth, "krb5_rotation", 4, "EC and RRC %x, expected %x", token[4:8], want[4:8])
	}
	return number, nil
}

// putHeader writes the clear header of a token of size bytes.
func (f *aesForm) putHeader(header []byte, number uint64, seal bool, size int) {
	id, flags, ec, rrc := aesTokenSigned, f.flags, uint16(0xffff), uint16(0xffff)
	if seal {
		id, flags = aesTokenSealed, f.flags|aesFlagSealed
		ec, rrc = uint16(size-f.wrapSize(0)), f.rotation()
	}
	binary.BigEndian.PutUint16(header, id)
	header[2], header[3] = flags, 0xff
	binary.BigEndian.PutUint16(header[4:], ec)
	binary.BigEndian.PutUint16(header[6:], rrc)
	binary.BigEndian.PutUint64(header[8:], number)
}

// sign writes a MIC token (RFC 4121 4.2.6.1): its checksum covers the message
// and then the clear header.
func (f *aesForm) sign(p parts, number uint64, token []byte) {
	f.putHeader(token, number, false, len(token))
	copy(token[aesHeaderSize:], f.checksum(p, token[:aesHeaderSize]))
}

func (f *aesForm) verify(p parts, _ uint64, token []byte) bool {
	return subtle.ConstantTimeCompare(f.checksum(p, token[:aesHeaderSize]), token[aesHeaderSize:]) == 1
}

// checksum is valid until the next call.
func (f *aesForm) checksum(p parts, header []byte) []byte {
	if f.signer == nil {
		usage := usageInitiatorSign
		if f.flags&aesFlagAcceptor != 0 {
			usage = usageAcceptorSign
		}
		f.signer = f.etype.newMAC(f.base, usage, purposeChecksum)
	}
	f.signer.Reset()
	f.signer.Write(p.header)
	f.signer.Write(p.body)
	f.signer.Write(p.trailer)
	f.signer.Write(header)
	return f.signer.Sum(f.sum[:0])[:f.etype.macSize]
}

// random fills b with unpredictable bytes. Tests that compare with known
// tokens replace it.
var random = func(b []byte) { _, _ = rand.Read(b) } // never fails
