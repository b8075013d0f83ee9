package ndr

import (
	"fmt"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

// Syntax is the transfer syntax of a stub. The zero value is NDR.
type Syntax uint8

// The two transfer syntaxes (MS-RPCE 2.2.4.12, 2.2.5.1).
const (
	NDR   Syntax = iota // 32-bit counts and referents
	NDR64               // 64-bit counts and referents, little-endian only
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

// WordSize is the size and the alignment in bytes of counts and referents.
func (s Syntax) WordSize() int {
	if s == NDR64 {
		return 8
	}
	return 4
}

// Check refuses combinations with a byte order that do not exist.
func (s Syntax) Check(o wire.Order) error {
	if s > NDR64 {
		return wire.Errorf(wire.ClassInvalid, "transfer_syntax", 0, "%v is neither ndr nor ndr64", s)
	}
	if s == NDR64 && o == wire.BigEndian {
		return wire.Errorf(wire.ClassInvalid, "byte_order", 0, "ndr64 in a big-endian PDU")
	}
	return nil
}

// Order is the byte order to write in: NDR64 knows one only.
func (s Syntax) Order(o wire.Order) wire.Order {
	if s == NDR64 {
		return wire.LittleEndian
	}
	return o
}
