package rpcparse

// Drep is the packed data representation of a PDU (C706 14.1). It belongs to
// the PDU, not to the connection: every PDU is read by its own.
//
//	[0] high nibble: integers, 1 little-endian, 0 big-endian; low nibble: characters, 0 ASCII, 1 EBCDIC
//	[1] floats, 0 IEEE
//	[2] [3] zero
//
// The zero Drep is a legal one: big-endian.
type Drep [4]byte

// The representations that peers use.
var (
	DrepLittleEndian = Drep{0x10, 0, 0, 0}
	DrepBigEndian    = Drep{0x00, 0, 0, 0}
)

// Order returns the byte order of the PDU's integers.
func (d Drep) Order() Order { return orderOf(d[0]) }

// orderOf returns the byte order that the first byte of a representation
// names. The decoders give it byte 4 of the PDU.
func orderOf(drep0 byte) Order { return drep0&0xf0 == 0 }

// DrepOf returns the representation with byte order o, ASCII and IEEE.
func DrepOf(o Order) Drep {
	if o == BigEndian {
		return DrepBigEndian
	}
	return DrepLittleEndian
}

// integersKnown reports whether the integer representation is one of the two
// that exist. Characters and floats are none of our business: they do not
// move a boundary.
func integersKnown(drep0 byte) bool { return drep0>>4 <= 1 }
