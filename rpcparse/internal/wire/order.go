package wire

import "encoding/binary"

// Order is the byte order of one PDU (C706 14.2.5: the high nibble of the
// first octet of the data representation). The zero value is little-endian.
type Order bool

// The two byte orders.
const (
	LittleEndian Order = false
	BigEndian    Order = true
)

// Uint16 reads the first two bytes of b.
func (o Order) Uint16(b []byte) uint16 {
	if o == BigEndian {
		return binary.BigEndian.Uint16(b)
	}
	return binary.LittleEndian.Uint16(b)
}

// Uint32 reads the first four bytes of b.
func (o Order) Uint32(b []byte) uint32 {
	if o == BigEndian {
		return binary.BigEndian.Uint32(b)
	}
	return binary.LittleEndian.Uint32(b)
}

// Uint64 reads the first eight bytes of b.
func (o Order) Uint64(b []byte) uint64 {
	if o == BigEndian {
		return binary.BigEndian.Uint64(b)
	}
	return binary.LittleEndian.Uint64(b)
}

// PutUint16 writes v to the first two bytes of b.
func (o Order) PutUint16(b []byte, v uint16) {
	if o == BigEndian {
		binary.BigEndian.PutUint16(b, v)
		return
	}
	binary.LittleEndian.PutUint16(b, v)
}

// PutUint32 writes v to the first four bytes of b.
func (o Order) PutUint32(b []byte, v uint32) {
	if o == BigEndian {
		binary.BigEndian.PutUint32(b, v)
		return
	}
	binary.LittleEndian.PutUint32(b, v)
}

// AppendUint16 appends v to dst.
func (o Order) AppendUint16(dst []byte, v uint16) []byte {
	if o == BigEndian {
		return binary.BigEndian.AppendUint16(dst, v)
	}
	return binary.LittleEndian.AppendUint16(dst, v)
}

// AppendUint32 appends v to dst.
func (o Order) AppendUint32(dst []byte, v uint32) []byte {
	if o == BigEndian {
		return binary.BigEndian.AppendUint32(dst, v)
	}
	return binary.LittleEndian.AppendUint32(dst, v)
}

// AppendUint64 appends v to dst.
func (o Order) AppendUint64(dst []byte, v uint64) []byte {
	if o == BigEndian {
		return binary.BigEndian.AppendUint64(dst, v)
	}
	return binary.LittleEndian.AppendUint64(dst, v)
}
