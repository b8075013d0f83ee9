package tower

import "github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"

// firstAnswerReferent is the first referent id in an answer. Windows counts from
// 1 in a request, which has two pointers, and goes on counting in the answer.
const firstAnswerReferent = 3

// writer appends a stub. Alignment counts from the start of the stub, not of the
// buffer that it is appended to. The first failure sticks.
type writer struct {
	dst    []byte
	base   int // len(dst) where the stub starts
	syntax Syntax
	order  wire.Order
	last   uint64 // referent id given out last
	err    error
}

func newWriter(dst []byte, s Syntax, o wire.Order) *writer {
	return &writer{dst: dst, base: len(dst), syntax: s, order: s.order(o), err: s.check(s.order(o))}
}

// done returns the buffer with the stub, or as it was given and the failure.
func (w *writer) done() ([]byte, error) {
	if w.err != nil {
		return w.dst[:w.base], w.err
	}
	return w.dst, nil
}

func (w *writer) limit(name string, n int, most int) {
	if n > most && w.err == nil {
		w.err = wire.Errorf(wire.ClassLimit, name, len(w.dst)-w.base, "%d, at most %d", n, most)
	}
}

func (w *writer) align(n int) {
	for (len(w.dst)-w.base)%n != 0 {
		w.dst = append(w.dst, 0)
	}
}

func (w *writer) u16(v uint16) {
	w.align(2)
	w.dst = w.order.AppendUint16(w.dst, v)
}

func (w *writer) u32(v uint32) {
	w.align(4)
	w.dst = w.order.AppendUint32(w.dst, v)
}

func (w *writer) word(v uint64) {
	w.align(w.syntax.wordSize())
	if w.syntax == NDR64 {
		w.dst = w.order.AppendUint64(w.dst, v)
		return
	}
	w.dst = w.order.AppendUint32(w.dst, uint32(v))
}

// pointer writes the next referent id, or NULL.
func (w *writer) pointer(present bool) {
	if !present {
		w.word(0)
		return
	}
	w.last++
	w.word(w.last)
}

func (w *writer) uuid(u wire.UUID) {
	w.align(4)
	w.dst = u.Append(w.dst, w.order)
}

func (w *writer) handle(h Handle) {
	w.align(4)
	w.dst = append(w.dst, h[:]...)
}

// array writes the counts in front of a conformant varying array.
func (w *writer) array(most uint32, actual int) {
	w.limit("array_max", int(min(most, MaxTowers+1)), MaxTowers)
	w.limit("array_actual", actual, int(min(most, MaxTowers)))
	w.word(uint64(most))
	w.word(0)
	w.word(uint64(actual))
}

// tower writes a twr_t: maximum count, length, octets.
func (w *writer) tower(octets []byte) {
	w.limit("tower_length", len(octets), MaxOctets)
	w.word(uint64(len(octets)))
	w.u32(uint32(len(octets)))
	w.dst = append(w.dst, octets...)
}
