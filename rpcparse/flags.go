package rpcparse

import "fmt"

// Flags are the pfc_flags of a PDU (C706 12.6.3.1, MS-RPCE 2.2.2.3).
type Flags uint8

// The flags. 0x08 is reserved and ignored.
const (
	FlagFirstFrag         Flags = 0x01 // first fragment; always set in handshake PDUs
	FlagLastFrag          Flags = 0x02 // last fragment; always set in handshake PDUs
	FlagSupportHeaderSign Flags = 0x04 // in handshake PDUs: signatures may cover the header
	FlagPendingCancel     Flags = 0x04 // in every other PDU: a cancel is pending
	FlagConcMpx           Flags = 0x10 // several calls may be outstanding
	FlagDidNotExecute     Flags = 0x20 // fault: the call was certainly not executed
	FlagMaybe             Flags = 0x40 // ignored by Windows
	FlagObjectUUID        Flags = 0x80 // request: 16 bytes of object UUID before the stub
)

// FlagsWhole marks a PDU that is first and last fragment at once.
const FlagsWhole = FlagFirstFrag | FlagLastFrag

// Has reports whether all flags of mask are set.
func (f Flags) Has(mask Flags) bool { return f&mask == mask }

// String returns the flags as 0x-hex, e.g. "0x03".
func (f Flags) String() string { return fmt.Sprintf("0x%02x", uint8(f)) }
