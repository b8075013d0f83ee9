package rpcparse

import "math"

// MaxPDU is the largest PDU that frag_length can name, in bytes.
const MaxPDU = math.MaxUint16

// openPDU checks what every ParseX starts with: a good header, exactly one
// PDU, the expected type, and room for the type's fixed part. So every ParseX
// may read up to Header.bodyStart without looking.
func openPDU(pdu []byte, want PType) (Header, error) {
	h, err := ParseHeader(pdu)
	if err != nil {
		return Header{}, err
	}
	if h.Type != want {
		return Header{}, Errorf(ClassInvalid, "ptype", 2, "%s, expected %s", h.Type, want)
	}
	if len(pdu) != int(h.FragLength) || len(pdu) < h.bodyStart() {
		return Header{}, wholeError(h, len(pdu))
	}
	return h, nil
}

// openEither is openPDU for the two pairs of types that share a layout.
func openEither(pdu []byte, a, b PType) (Header, error) {
	if len(pdu) > 2 && PType(pdu[2]) == b {
		return openPDU(pdu, b)
	}
	return openPDU(pdu, a)
}

func wholeError(h Header, have int) error {
	if have != int(h.FragLength) {
		return Errorf(ClassInvalid, "frag_length", 8, "%d, but given %d bytes", h.FragLength, have)
	}
	return Errorf(ClassInvalid, "frag_length", 8, "%d, a %s has at least %d", have, h.Type, h.bodyStart())
}

// beginPDU appends the header of a PDU of type t that will be size bytes long,
// or fails if no PDU can be.
func beginPDU(dst []byte, h Header, t PType, size int, v Verifier, hasVerifier bool) ([]byte, error) {
	if size > MaxPDU {
		return dst, Errorf(ClassLimit, "frag_length", 8, "%s of %d bytes, at most %d", t, size, MaxPDU)
	}
	if hasVerifier && len(v.Token) == 0 {
		return dst, Errorf(ClassInvalid, "auth_length", 10, "a verifier without token cannot be told from a stub")
	}
	h.Type, h.FragLength, h.AuthLength = t, uint16(size), 0
	if hasVerifier {
		h.AuthLength = uint16(len(v.Token))
	}
	return AppendHeader(dst, h), nil
}

// padding is what appendZeros copies from; auth_pad_length is a byte.
var padding [math.MaxUint8]byte

// appendZeros appends n <= 255 zero bytes.
func appendZeros(dst []byte, n int) []byte { return append(dst, padding[:n]...) }

// align4 rounds n up to a multiple of four.
func align4(n int) int { return (n + 3) &^ 3 }
