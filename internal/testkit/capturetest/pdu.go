package capturetest

import "encoding/binary"

// PDU writes a little-endian PDU of version 5.0 with FIRST and LAST set.
func PDU(ptype uint8, callID uint32, body []byte) []byte {
	o := binary.LittleEndian
	b := []byte{5, 0, ptype, 3, 0x10, 0, 0, 0}
	b = o.AppendUint16(o.AppendUint16(b, uint16(16+len(body))), 0)
	return append(o.AppendUint32(b, callID), body...)
}

// Request writes a request in context 0 with n bytes of parameters.
func Request(callID uint32, opnum uint16, n int) []byte {
	o := binary.LittleEndian
	b := o.AppendUint32(nil, uint32(n))
	b = o.AppendUint16(o.AppendUint16(b, 0), opnum)
	return PDU(0, callID, append(b, fill(n, 0xaa)...))
}

// Response writes a response in context 0 with n bytes of results.
func Response(callID uint32, n int) []byte {
	b := binary.LittleEndian.AppendUint32(nil, uint32(n))
	return PDU(2, callID, append(append(b, 0, 0, 0, 0), fill(n, 0xbb)...))
}

func fill(n int, with byte) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = with
	}
	return b
}

// Interfaces and encodings, as on the wire.
var (
	nspi = []byte("\x18\x5a\xcc\xf5\x64\x42\x1a\x10\x8c\x59\x08\x00\x2b\x2f\x84\x26\x38\x00\x00\x00")
	ndr  = []byte("\x04\x5d\x88\x8a\xeb\x1c\xc9\x11\x9f\xe8\x08\x00\x2b\x10\x48\x60\x02\x00\x00\x00")
)

// Bind offers the address book as context 0 in NDR.
func Bind(callID uint32) []byte {
	b := []byte{0xd0, 0x16, 0xd0, 0x16, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0}
	return PDU(11, callID, append(append(b, nspi...), ndr...))
}

// BindAck accepts it, in association group 1.
func BindAck(callID uint32) []byte {
	b := []byte{0xd0, 0x16, 0xd0, 0x16, 1, 0, 0, 0, 4, 0, '1', '3', '5', 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0}
	return PDU(12, callID, append(b, ndr...))
}
