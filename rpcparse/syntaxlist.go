package rpcparse

import (
	"iter"
	"math"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

// SyntaxList is a list of transfer syntaxes, in the bytes it came in. The zero
// value is empty.
type SyntaxList struct {
	raw   []byte // a multiple of wire.SyntaxIDSize
	order Order
}

// NewSyntaxList returns a list of its own of the given syntaxes.
func NewSyntaxList(syntaxes ...SyntaxID) SyntaxList {
	raw := make([]byte, 0, len(syntaxes)*wire.SyntaxIDSize)
	for _, s := range syntaxes {
		raw = s.Append(raw, LittleEndian)
	}
	return SyntaxList{raw: raw, order: LittleEndian}
}

// Len returns the number of syntaxes.
func (l SyntaxList) Len() int { return len(l.raw) / wire.SyntaxIDSize }

// At returns syntax i. It panics unless 0 <= i < Len.
func (l SyntaxList) At(i int) (s SyntaxID) {
	s.Read(l.raw[i*wire.SyntaxIDSize:], l.order)
	return s
}

// All walks the syntaxes in order.
func (l SyntaxList) All() iter.Seq2[int, SyntaxID] {
	return func(yield func(int, SyntaxID) bool) {
		var s SyntaxID
		for i := range l.Len() {
			s.Read(l.raw[i*wire.SyntaxIDSize:], l.order)
			if !yield(i, s) {
				return
			}
		}
	}
}

// append appends the syntaxes in byte order o.
func (l SyntaxList) append(dst []byte, o Order) []byte {
	if o == l.order {
		return append(dst, l.raw...)
	}
	for i := range l.Len() {
		dst = l.At(i).Append(dst, o)
	}
	return dst
}

// maxListLength is what the count byte before each list can say.
const maxListLength = math.MaxUint8
