package nspi

import "github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"

// The size of a pointer's referent id, s.WordSize(), is all that differs in these
// stubs between the two syntaxes.

// readReferent reads the referent id at the start of b.
func readReferent(b []byte, s Syntax, o wire.Order) uint64 {
	if s == NDR64 {
		return o.Uint64(b)
	}
	return uint64(o.Uint32(b))
}

// defaultReferent is what Windows clients and servers count from.
const defaultReferent = 0x00020000

// appendPointer appends a unique pointer to a flat UID: the referent id, then
// the 16 bytes if it is present. A referent that would read as NULL is replaced.
func appendPointer(dst []byte, s Syntax, o wire.Order, present bool, referent uint64, guid [GUIDSize]byte) []byte {
	switch {
	case !present:
		referent = 0
	case referent == 0, s == NDR && uint32(referent) == 0:
		referent = defaultReferent
	}
	if s == NDR64 {
		dst = o.AppendUint64(dst, referent)
	} else {
		dst = o.AppendUint32(dst, uint32(referent))
	}
	if present {
		dst = append(dst, guid[:]...)
	}
	return dst
}

// pointerLen is the number of bytes that appendPointer appends.
func pointerLen(s Syntax, present bool) int {
	if present {
		return s.WordSize() + GUIDSize
	}
	return s.WordSize()
}
