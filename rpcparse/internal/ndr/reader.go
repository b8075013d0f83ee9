package ndr

import "github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"

// Reader walks a stub. The first failure sticks: every later read returns zero
// and moves nothing, so that a decoder may read a whole group of fields and look
// at Err once, before it uses any of them as a count.
type Reader struct {
	Stub   []byte
	At     int // offset of the next byte; past the end only after Align
	Syntax Syntax
	Order  wire.Order
	Err    error // a *[wire.Error], of class short where the stub ends too early
}

// NewReader returns a reader at the start of stub. It has failed already if the
// syntax does not exist in that byte order.
func NewReader(stub []byte, s Syntax, o wire.Order) Reader {
	return Reader{Stub: stub, Syntax: s, Order: o, Err: s.Check(o)}
}

// Fail makes a failure of the field name, unless there was one before.
func (r *Reader) Fail(class wire.Class, name, format string, args ...any) {
	if r.Err == nil {
		r.Err = wire.Errorf(class, name, r.At, format, args...)
	}
}

// Align skips padding, whose content is garbage, up to the next multiple of n.
func (r *Reader) Align(n int) {
	if r.Err == nil {
		r.At = (r.At + n - 1) &^ (n - 1)
	}
}

// Left is the number of bytes that were not read yet.
func (r *Reader) Left() int { return max(0, len(r.Stub)-r.At) }

// Bytes returns the next n bytes, as part of the stub.
func (r *Reader) Bytes(n int, name string) []byte {
	if r.Err != nil {
		return nil
	}
	if len(r.Stub)-r.At < n { // negative behind padding that the stub lacks
		r.Err = wire.Short(name, r.At, r.Left(), n)
		return nil
	}
	b := r.Stub[r.At : r.At+n : r.At+n]
	r.At += n
	return b
}

// U16 reads a u16.
func (r *Reader) U16(name string) uint16 {
	r.Align(2)
	if b := r.Bytes(2, name); b != nil {
		return r.Order.Uint16(b)
	}
	return 0
}

// U32 reads a u32.
func (r *Reader) U32(name string) uint32 {
	r.Align(4)
	if b := r.Bytes(4, name); b != nil {
		return r.Order.Uint32(b)
	}
	return 0
}

// Word reads a count or referent id: u32 in NDR, u64 in NDR64.
func (r *Reader) Word(name string) uint64 {
	if r.Syntax != NDR64 {
		return uint64(r.U32(name))
	}
	r.Align(8)
	if b := r.Bytes(8, name); b != nil {
		return r.Order.Uint64(b)
	}
	return 0
}

// Count reads a word that must not be over limit.
func (r *Reader) Count(name string, limit int) int {
	n := r.Word(name)
	if n > uint64(limit) {
		r.Fail(wire.ClassLimit, name, "%d, at most %d", n, limit)
		return 0
	}
	return int(n)
}

// trailerSignature starts a verification trailer (MS-RPCE 2.2.2.13.1).
const trailerSignature = "\x8a\xe3\x13\x71\x02\xf4\x36\x71"

// EndRequest checks that a request ends here, or goes on with a verification
// trailer, which is not looked into: nothing is decided from a request.
func (r *Reader) EndRequest() {
	if r.Err != nil || r.Left() == 0 {
		return
	}
	r.Align(4)
	if b := r.Stub[min(r.At, len(r.Stub)):]; len(b) < len(trailerSignature) || string(b[:len(trailerSignature)]) != trailerSignature {
		r.Fail(wire.ClassInvalid, "stub_length", "%d bytes behind the last parameter", len(b))
	}
}
