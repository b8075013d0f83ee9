package rpcparse

import "math"

// MaxPDU is the largest PDU that frag_length can name, in bytes.
const MaxPDU = math.MaxUint16

// open reads the header into h and checks what every ParseX starts with: a
// good header, exactly one PDU, the expected type, and room for the type's
// fixed part. So every ParseX may read up to bodyStart without looking.
func (h *Header) open(pdu []byte, want PType) error {
	if err := h.parse(pdu); err != nil {
		return err
	}
	if h.Type != want || len(pdu) != int(h.FragLength) || len(pdu) < bodyStart(h.Type, h.Flags) {
		return h.openError(len(pdu), want)
	}
	return nil
}

// openEither is open for the pairs of types that share a layout.
func (h *Header) openEither(pdu []byte, a, b PType) error {
	if len(pdu) > 2 && PType(pdu[2]) == b {
		return h.open(pdu, b)
	}
	return h.open(pdu, a)
}

func (h *Header) openError(have int, want PType) error {
	if h.Type != want {
		return Errorf(ClassInvalid, "ptype", 2, "%s, expected %s", h.Type, want)
	}
	if have != int(h.FragLength) {
		return Errorf(ClassInvalid, "frag_length", 8, "%d, but given %d bytes", h.FragLength, have)
	}
	return Errorf(ClassInvalid, "frag_length", 8, "%d, a %s has at least %d", have, h.Type, bodyStart(h.Type, h.Flags))
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
