package client

import (
	"time"

	"github.com/nspiproxy/nspiproxy/rpcparse"
)

// DefaultTimeout bounds every wait of a Conn that no context bounds.
const DefaultTimeout = 10 * time.Second

// Budgets of what a server may send.
const (
	// DefaultMaxAnswer is what the answer to one call may take together with
	// the answers that are kept for others, in bytes of PDUs: a page of an
	// address book with thousands of rows. Empty fragments count, too.
	DefaultMaxAnswer = 16 << 20

	// maxLegs is how many tokens a client sends in one handshake: SPNEGO with
	// another mechanism tried first has three (handbook 4.1).
	maxLegs = 3

	// maxPorts bounds the ports of one interface. Domain controllers have two,
	// those of the simulated one with further addresses a few more.
	maxPorts = 64
	// maxRounds is in how many answers one list of an endpoint mapper may come.
	maxRounds = 256
)

// Limits of the standing connection of a [Mapper], which asks for little.
const (
	// towersPerCall is the max_towers of a request. Windows answers two for
	// NSPI on a domain controller with one address (handbook 6.3), Windows
	// clients ask for four.
	towersPerCall = 32
	// maxMapperRounds are enough for all of maxPorts.
	maxMapperRounds = 8
	// maxMapperAnswer holds towersPerCall towers of 2000 octets (MS-RPCE
	// 2.2.1.2.2) with what is around them, in 64 fragments of any size that
	// clients have to take. Real answers take 250 bytes.
	maxMapperAnswer = towersPerCall*2016 + 64*64
)

// maxCallID is the last call id that Windows takes (MS-RPCE <123>). At four
// calls a second a connection gets there after 17 years.
const maxCallID = 0x7fffffff

// Sizes of the read buffer, in bytes. It begins with what idle connections
// keep, of which tests and the load generator open thousands, and grows to what
// reads a long answer in few calls and holds the longest PDU.
const (
	minBuffer = 8 << 10
	maxBuffer = rpcparse.MaxPDU + 1
)
