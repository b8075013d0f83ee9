package epm

import (
	"time"

	"github.com/nspiproxy/nspiproxy/rpcparse"
)

// DefaultTimeout bounds a call whose context has no deadline.
const DefaultTimeout = 30 * time.Second

const (
	// towersPerCall is the max_towers of a request. Windows answers two for
	// NSPI on a domain controller with one address (handbook 6.3), Windows
	// clients ask for four.
	towersPerCall = 32
	// maxRounds is how many answers one list may come in.
	maxRounds = 8
	// maxPorts is how many ports an interface may have. Domain controllers
	// have two, those of the simulated one with further addresses a few more.
	maxPorts = 64

	// maxAnswer is the longest answer that is put together, in bytes:
	// towersPerCall towers of 2000 octets (MS-RPCE 2.2.1.2.2) and what is
	// around them. Real ones take 250.
	maxAnswer = towersPerCall*2016 + 128
	// maxFragments is how many fragments it may come in: of those that every
	// client has to take (1432 bytes, C706 12.6.3.1), 46 hold all of it.
	maxFragments = 64

	// maxCallID is the last call id that Windows takes (MS-RPCE <123>). At
	// four calls a second a connection gets there after 17 years.
	maxCallID = 0x7fffffff

	// maxPDU is the longest PDU: what the bind offers. It is also the least
	// that a framer can be limited to, so a read buffer of this size always
	// has room for the rest of a PDU.
	maxPDU = rpcparse.DefaultFragment
)
