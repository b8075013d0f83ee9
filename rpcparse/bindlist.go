package rpcparse

import (
	"iter"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

// contextElementSize is the size of a context element without its transfer
// syntaxes: id, count, reserved byte, abstract syntax.
const contextElementSize = 4 + wire.SyntaxIDSize

// ContextElement offers one presentation context (C706 12.6.3.1, p_cont_elem_t).
type ContextElement struct {
	ID        uint16     // +0: p_cont_id, how requests will name it
	Abstract  SyntaxID   // +4: the interface
	Transfers SyntaxList // +24: the encodings to choose from; their count is at +2
}

// ContextList is the presentation contexts that a bind or alter_context
// offers, in the bytes they came in. The zero value is empty.
type ContextList struct {
	raw   []byte // n whole elements, checked
	n     int
	order Order
	over  bool // made of more than a PDU can hold: AppendBind refuses it
}

// NewContextList returns a list of its own of the given elements. Of more than
// 255, or with more than 255 transfer syntaxes in one, it makes a list that no
// PDU can hold: it is empty, and AppendBind refuses it.
func NewContextList(elems ...ContextElement) ContextList {
	if len(elems) > maxListLength {
		return ContextList{over: true}
	}
	l := ContextList{n: len(elems), order: LittleEndian}
	for _, e := range elems {
		if e.Transfers.Len() > maxListLength {
			return ContextList{over: true}
		}
		l.raw = e.append(l.raw, l.order)
	}
	return l
}

// parse checks n elements at pdu[off:] and makes them l. Every element takes at
// least 24 bytes, so the walk ends.
func (l *ContextList) parse(pdu []byte, off, n int, o Order) error {
	end := off
	for i := range n {
		size := contextElementSize
		if have := len(pdu) - end; have >= size {
			size += int(pdu[end+2]) * wire.SyntaxIDSize
			if have >= size {
				end += size
				continue
			}
		}
		return Errorf(ClassInvalid, "p_cont_elem", end, "element %d of %d needs %d bytes, %d left", i+1, n, size, len(pdu)-end)
	}
	l.raw, l.n, l.order = pdu[off:end:end], n, o
	return nil
}

// Len returns the number of contexts.
func (l ContextList) Len() int { return l.n }

// All walks the contexts in order. It does not allocate; what it yields points
// into the same bytes as the list.
func (l ContextList) All() iter.Seq2[int, ContextElement] {
	return func(yield func(int, ContextElement) bool) {
		var e ContextElement
		raw := l.raw
		for i := range l.n {
			raw = raw[e.read(raw, l.order):]
			if !yield(i, e) {
				return
			}
		}
	}
}

// read reads the element at the start of b, which has been checked, and returns
// its size.
func (e *ContextElement) read(b []byte, o Order) int {
	size := contextElementSize + int(b[2])*wire.SyntaxIDSize
	e.ID = o.Uint16(b)
	e.Abstract.Read(b[4:], o)
	e.Transfers.raw, e.Transfers.order = b[contextElementSize:size:size], o
	return size
}

// append appends the elements in byte order o.
func (l ContextList) append(dst []byte, o Order) []byte {
	if o == l.order {
		return append(dst, l.raw...)
	}
	for _, e := range l.All() {
		dst = e.append(dst, o)
	}
	return dst
}

func (e ContextElement) append(dst []byte, o Order) []byte {
	dst = o.AppendUint16(dst, e.ID)
	dst = append(dst, byte(e.Transfers.Len()), 0)
	dst = e.Abstract.Append(dst, o)
	return e.Transfers.append(dst, o)
}
