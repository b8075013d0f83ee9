package tower

import "github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"

// reader walks a stub. The first failure sticks: every later read returns zero
// and moves nothing, so that a decoder may read a whole group of fields and look
// at err once, before it uses any of them as a count.
type reader struct {
	stub   []byte
	at     int // offset of the next byte; past the end only after align
	syntax Syntax
	order  wire.Order
	err    error
}

func newReader(stub []byte, s Syntax, o wire.Order) *reader {
	return &reader{stub: stub, syntax: s, order: o, err: s.check(o)}
}

func (r *reader) fail(class wire.Class, name, format string, args ...any) {
	if r.err == nil {
		r.err = wire.Errorf(class, name, r.at, format, args...)
	}
}

// align skips padding, whose content is garbage, up to the next multiple of n.
func (r *reader) align(n int) {
	if r.err == nil {
		r.at = (r.at + n - 1) &^ (n - 1)
	}
}

// left is the number of bytes that were not read yet.
func (r *reader) left() int { return max(0, len(r.stub)-r.at) }

// bytes returns the next n bytes, as part of the stub.
func (r *reader) bytes(n int, name string) []byte {
	if r.err != nil {
		return nil
	}
	if len(r.stub)-r.at < n { // negative behind padding that the stub lacks
		r.err = wire.Short(name, r.at, r.left(), n)
		return nil
	}
	b := r.stub[r.at : r.at+n : r.at+n]
	r.at += n
	return b
}

func (r *reader) u16(name string) uint16 {
	r.align(2)
	if b := r.bytes(2, name); b != nil {
		return r.order.Uint16(b)
	}
	return 0
}

func (r *reader) u32(name string) uint32 {
	r.align(4)
	if b := r.bytes(4, name); b != nil {
		return r.order.Uint32(b)
	}
	return 0
}

// word reads a count or referent id: u32 in NDR, u64 in NDR64.
func (r *reader) word(name string) uint64 {
	if r.syntax != NDR64 {
		return uint64(r.u32(name))
	}
	r.align(8)
	if b := r.bytes(8, name); b != nil {
		return r.order.Uint64(b)
	}
	return 0
}

// count reads a word that must not be over limit.
func (r *reader) count(name string, limit int) int {
	n := r.word(name)
	if n > uint64(limit) {
		r.fail(wire.ClassLimit, name, "%d, at most %d", n, limit)
		return 0
	}
	return int(n)
}

func (r *reader) uuid(name string) wire.UUID {
	r.align(4)
	if b := r.bytes(wire.UUIDSize, name); b != nil {
		return wire.ReadUUID(b, r.order)
	}
	return wire.UUID{}
}

func (r *reader) handle() (h Handle) {
	r.align(4)
	copy(h[:], r.bytes(HandleSize, "entry_handle"))
	return h
}

// array reads what comes in front of the elements of a conformant varying array
// (maximum, offset, actual count; C706 14.3.3.4) that a separate field said to
// have num elements of at least size bytes each. It returns the maximum and the
// actual count; after a failure both are zero.
func (r *reader) array(num uint32, size int) (most, actual int) {
	most = r.count("array_max", MaxTowers)
	offset := r.word("array_offset")
	actual = r.count("array_actual", MaxTowers)
	switch {
	case r.err != nil:
	case offset != 0:
		r.fail(wire.ClassInvalid, "array_offset", "%d, expected 0", offset)
	case actual > most:
		r.fail(wire.ClassInvalid, "array_actual", "%d of at most %d elements", actual, most)
	case uint64(num) != uint64(actual):
		r.fail(wire.ClassInvalid, "array_actual", "%d elements, announced as %d", actual, num)
	case r.left() < actual*size:
		r.err = wire.Short("array_elements", r.at, r.left(), actual*size)
	default:
		return most, actual
	}
	return 0, 0
}

// status reads the status, which must be the last thing in the stub.
func (r *reader) status() uint32 {
	r.align(4)
	// Whether NDR64 pads the last tower to eight bytes is not settled by any
	// capture: every tower seen there ends on a multiple of both. The length of
	// the stub tells which it was.
	if r.syntax == NDR64 && r.at%8 == 4 && r.left() == 8 {
		r.align(8)
	}
	status := r.u32("status")
	if r.left() != 0 {
		r.fail(wire.ClassInvalid, "stub_length", "%d bytes behind the status", r.left())
	}
	return status
}

// trailerSignature starts a verification trailer (MS-RPCE 2.2.2.13.1).
const trailerSignature = "\x8a\xe3\x13\x71\x02\xf4\x36\x71"

// end checks that a request ends here, or goes on with a verification trailer,
// which is not looked into: nothing is decided from a request.
func (r *reader) end() {
	if r.err != nil || r.left() == 0 {
		return
	}
	r.align(4)
	if b := r.stub[min(r.at, len(r.stub)):]; len(b) < len(trailerSignature) || string(b[:len(trailerSignature)]) != trailerSignature {
		r.fail(wire.ClassInvalid, "stub_length", "%d bytes behind the last parameter", len(b))
	}
}
