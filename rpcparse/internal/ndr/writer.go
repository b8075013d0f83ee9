package ndr

import "github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"

// Writer appends a stub. Alignment counts from the start of the stub, not of the
// buffer that it is appended to. The first failure sticks.
type Writer struct {
	Dst    []byte
	Syntax Syntax
	base   int // len(Dst) where the stub starts
	order  wire.Order
	err    error
}

// NewWriter returns a writer behind dst. NDR64 is written little-endian whatever
// o says.
func NewWriter(dst []byte, s Syntax, o wire.Order) Writer {
	return Writer{Dst: dst, base: len(dst), Syntax: s, order: s.Order(o), err: s.Check(s.Order(o))}
}

// Done returns the buffer with the stub, or as it was given and the failure.
func (w *Writer) Done() ([]byte, error) {
	if w.err != nil {
		return w.Dst[:w.base], w.err
	}
	return w.Dst, nil
}

// Order is the byte order that is written in.
func (w *Writer) Order() wire.Order { return w.order }

// Limit makes it a failure that n, of the field name, is over most.
func (w *Writer) Limit(name string, n int, most int) {
	if n > most && w.err == nil {
		w.err = wire.Errorf(wire.ClassLimit, name, len(w.Dst)-w.base, "%d, at most %d", n, most)
	}
}

// Align appends zeros up to the next multiple of n.
func (w *Writer) Align(n int) {
	for (len(w.Dst)-w.base)%n != 0 {
		w.Dst = append(w.Dst, 0)
	}
}

// U16 appends a u16.
func (w *Writer) U16(v uint16) {
	w.Align(2)
	w.Dst = w.order.AppendUint16(w.Dst, v)
}

// U32 appends a u32.
func (w *Writer) U32(v uint32) {
	w.Align(4)
	w.Dst = w.order.AppendUint32(w.Dst, v)
}

// Word appends a count or referent id: u32 in NDR, u64 in NDR64.
func (w *Writer) Word(v uint64) {
	w.Align(w.Syntax.WordSize())
	if w.Syntax == NDR64 {
		w.Dst = w.order.AppendUint64(w.Dst, v)
		return
	}
	w.Dst = w.order.AppendUint32(w.Dst, uint32(v))
}
