package wire

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
)

// UUID is a DCE UUID with its bytes in the order of its text form, whatever
// the byte order of the PDU it came from. It is comparable.
type UUID [16]byte

// UUIDSize is the size of a UUID on the wire, in bytes.
const UUIDSize = 16

// ReadUUID reads the first 16 bytes of b. In a little-endian PDU the first
// three fields are swapped (C706 appendix A).
func ReadUUID(b []byte, o Order) (u UUID) {
	u.Read(b, o)
	return u
}

// Read is [ReadUUID] in place: lists of UUIDs are walked faster without copies.
func (u *UUID) Read(b []byte, o Order) {
	_ = b[15]
	head := binary.BigEndian.Uint64(b)
	if o == LittleEndian {
		head = uint64(binary.LittleEndian.Uint32(b))<<32 |
			uint64(binary.LittleEndian.Uint16(b[4:]))<<16 | uint64(binary.LittleEndian.Uint16(b[6:]))
	}
	binary.BigEndian.PutUint64(u[:], head)
	copy(u[8:], b[8:16])
}

// Append appends the wire form of u in byte order o to dst.
func (u UUID) Append(dst []byte, o Order) []byte {
	if o == LittleEndian {
		u.swap()
	}
	return append(dst, u[:]...)
}

func (u *UUID) swap() {
	binary.LittleEndian.PutUint32(u[0:], binary.BigEndian.Uint32(u[0:]))
	u[4], u[5] = u[5], u[4]
	u[6], u[7] = u[7], u[6]
}

// IsNil reports whether u is the nil UUID.
func (u UUID) IsNil() bool { return u == UUID{} }

// String returns the lower-case text form.
func (u UUID) String() string {
	var b [36]byte
	hex.Encode(b[0:8], u[0:4])
	hex.Encode(b[9:13], u[4:6])
	hex.Encode(b[14:18], u[6:8])
	hex.Encode(b[19:23], u[8:10])
	hex.Encode(b[24:36], u[10:16])
	b[8], b[13], b[18], b[23] = '-', '-', '-', '-'
	return string(b[:])
}

// MustUUID parses the text form of a constant. It panics on anything else, so
// it must not be given input.
func MustUUID(s string) UUID {
	var u UUID
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		panic("wire: not a UUID: " + s)
	}
	if _, err := hex.Decode(u[:], []byte(s[0:8]+s[9:13]+s[14:18]+s[19:23]+s[24:36])); err != nil {
		panic("wire: not a UUID: " + s)
	}
	return u
}

// SyntaxID names an abstract or transfer syntax: a UUID and a version
// (C706 12.6.3.1, p_syntax_id_t).
type SyntaxID struct {
	UUID    UUID
	Version uint32 // major version in the low 16 bits, minor in the high 16
}

// SyntaxIDSize is the size of a SyntaxID on the wire, in bytes.
const SyntaxIDSize = 20

// Read reads the first 20 bytes of b.
func (s *SyntaxID) Read(b []byte, o Order) {
	_ = b[19]
	s.UUID.Read(b, o)
	s.Version = o.Uint32(b[16:])
}

// Append appends the wire form of s in byte order o to dst.
func (s SyntaxID) Append(dst []byte, o Order) []byte {
	return o.AppendUint32(s.UUID.Append(dst, o), s.Version)
}

// Major returns the major version.
func (s SyntaxID) Major() uint16 { return uint16(s.Version) }

// Minor returns the minor version.
func (s SyntaxID) Minor() uint16 { return uint16(s.Version >> 16) }

// String returns "uuid vMAJOR.MINOR".
func (s SyntaxID) String() string {
	return fmt.Sprintf("%s v%d.%d", s.UUID, s.Major(), s.Minor())
}
