package nspi

import (
	"github.com/nspiproxy/nspiproxy/rpcparse/internal/ndr"
	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

// Syntax is the transfer syntax of a stub. The zero value is NDR.
type Syntax = ndr.Syntax

// The two transfer syntaxes (MS-RPCE 2.2.4.12, 2.2.5.1).
const (
	NDR   = ndr.NDR   // 32-bit referents
	NDR64 = ndr.NDR64 // 64-bit referents, little-endian only
)

// stubLength reports a stub that has not the one length its content demands.
func stubLength(have, want int) error {
	return wire.Errorf(wire.ClassInvalid, "stub_length", min(have, want), "%d bytes, expected %d", have, want)
}
