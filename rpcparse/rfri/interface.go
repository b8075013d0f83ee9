package rfri

import (
	"strconv"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/ndr"
	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

// Interface is the abstract syntax of RFRI (MS-OXABREF 2.1).
var Interface = wire.SyntaxID{UUID: wire.MustUUID("1544f5e0-613c-11d1-93df-00c04fd7bd09"), Version: 1}

// The operations (MS-OXABREF 3.1.4).
const (
	OpnumGetNewDSA           uint16 = 0
	OpnumGetFQDNFromServerDN uint16 = 1
)

var opnumNames = [...]string{"RfrGetNewDSA", "RfrGetFQDNFromServerDN"}

// OpnumName returns the name of an operation, or "opnum N" for one that the
// interface does not have.
func OpnumName(opnum uint16) string {
	if int(opnum) < len(opnumNames) {
		return opnumNames[opnum]
	}
	return "opnum " + strconv.Itoa(int(opnum))
}

// Syntax is the transfer syntax of a stub. The zero value is NDR.
type Syntax = ndr.Syntax

// The two transfer syntaxes (MS-RPCE 2.2.4.12, 2.2.5.1).
const (
	NDR   = ndr.NDR   // 32-bit counts and referents
	NDR64 = ndr.NDR64 // 64-bit counts and referents, little-endian only
)

// Limits of strings, in bytes with the NUL. They bound what one stub can make us
// copy.
const (
	// MinDN and MaxDN are the range of cbMailboxServerDN (MS-OXABREF 3.1.4.2).
	// The DN of a user has no range there; it is of the same kind.
	MinDN = 10
	MaxDN = 1024
	// MaxServer is more than the 255 of a DNS name with the dot at its end.
	MaxServer = 256
	// MaxUnused bounds a parameter that should be NULL and is carried unread.
	MaxUnused = MaxDN
)
