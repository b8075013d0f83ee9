package nspi

import (
	"fmt"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

// Syntax is the transfer syntax of a stub. The zero value is NDR.
type Syntax uint8

// The two transfer syntaxes (MS-RPCE 2.2.4.12, 2.2.5.1).
const (
	NDR   Syntax = iota // 32-bit referents
	NDR64               // 64-bit referents, little-endian only
)

// String returns "ndr" or "ndr64".
func (s Syntax) String() string {
	switch s {
	case NDR:
		return "ndr"
	case NDR64:
		return "ndr64"
	}
	return fmt.Sprintf("syntax(%d)", uint8(s))
}

// referentSize is the size in bytes of a pointer's referent id. Nothing else in
// these stubs differs between the two syntaxes.
func (s Syntax) referentSize() int {
	if s == NDR64 {
		return 8
	}
	return 4
}

// check refuses combinations that do not exist.
func (s Syntax) check(o wire.Order) error {
	if s > NDR64 {
		return wire.Errorf(wire.ClassInvalid, "transfer_syntax", 0, "%v is neither ndr nor ndr64", s)
	}
	if s == NDR64 && o == wire.BigEndian {
		return wire.Errorf(wire.ClassInvalid, "byte_order", 0, "ndr64 in a big-endian PDU")
	}
	return nil
}

// order is the byte order to write in: NDR64 knows one only.
func (s Syntax) order(o wire.Order) wire.Order {
	if s == NDR64 {
		return wire.LittleEndian
	}
	return o
}

// readReferent reads the referent id at the start of b.
func (s Syntax) readReferent(b []byte, o wire.Order) uint64 {
	if s == NDR64 {
		return o.Uint64(b)
	}
	return uint64(o.Uint32(b))
}

// defaultReferent is what Windows clients and servers count from.
const defaultReferent = 0x00020000

// appendPointer appends a unique pointer to a flat UID: the referent id, then
// the 16 bytes if it is present. A referent that would read as NULL is replaced.
func (s Syntax) appendPointer(dst []byte, o wire.Order, present bool, referent uint64, guid [GUIDSize]byte) []byte {
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
func (s Syntax) pointerLen(present bool) int {
	if present {
		return s.referentSize() + GUIDSize
	}
	return s.referentSize()
}

// stubLength reports a stub that has not the one length its content demands.
func stubLength(have, want int) error {
	return wire.Errorf(wire.ClassInvalid, "stub_length", min(have, want), "%d bytes, expected %d", have, want)
}
