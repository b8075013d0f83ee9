package tower

import (
	"github.com/nspiproxy/nspiproxy/rpcparse/internal/ndr"
	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

// firstAnswerReferent is the first referent id in an answer. Windows counts from
// 1 in a request, which has two pointers, and goes on counting in the answer.
const firstAnswerReferent = 3

// writer appends a stub of the endpoint mapper's.
type writer struct {
	ndr.Writer
	last uint64 // referent id given out last
}

func newWriter(dst []byte, s Syntax, o wire.Order) *writer {
	return &writer{Writer: ndr.NewWriter(dst, s, o)}
}

// pointer writes the next referent id, or NULL.
func (w *writer) pointer(present bool) {
	if !present {
		w.Word(0)
		return
	}
	w.last++
	w.Word(w.last)
}

func (w *writer) uuid(u wire.UUID) {
	w.Align(4)
	w.Dst = u.Append(w.Dst, w.Order())
}

func (w *writer) handle(h Handle) {
	w.Align(4)
	w.Dst = append(w.Dst, h[:]...)
}

// array writes the counts in front of a conformant varying array.
func (w *writer) array(most uint32, actual int) {
	w.Limit("array_max", int(min(most, MaxTowers+1)), MaxTowers)
	w.Limit("array_actual", actual, int(min(most, MaxTowers)))
	w.Word(uint64(most))
	w.Word(0)
	w.Word(uint64(actual))
}

// tower writes a twr_t: maximum count, length, octets.
func (w *writer) tower(octets []byte) {
	w.Limit("tower_length", len(octets), MaxOctets)
	w.Word(uint64(len(octets)))
	w.U32(uint32(len(octets)))
	w.Dst = append(w.Dst, octets...)
}
