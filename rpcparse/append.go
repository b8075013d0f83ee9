package rpcparse

import "math"

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
