package tower

import "github.com/nspiproxy/nspiproxy/rpcparse/internal/ndr"

// Syntax is the transfer syntax of a stub. The zero value is NDR.
type Syntax = ndr.Syntax

// The two transfer syntaxes (MS-RPCE 2.2.4.12, 2.2.5.1).
const (
	NDR   = ndr.NDR   // 32-bit counts and referents
	NDR64 = ndr.NDR64 // 64-bit counts and referents, little-endian only
)
