package rpcparse

import "fmt"

// PType is the type of a PDU (C706 12.6.1, MS-RPCE 2.2.2.2).
type PType uint8

// The types that connection-oriented DCE/RPC has. Types 1 and 4 to 10 belong
// to the datagram protocol and are an error on TCP.
const (
	PTypeRequest          PType = 0  // client: a call
	PTypeResponse         PType = 2  // server: its result
	PTypeFault            PType = 3  // server: its failure
	PTypeBind             PType = 11 // client: first PDU of a connection
	PTypeBindAck          PType = 12 // server
	PTypeBindNak          PType = 13 // server
	PTypeAlterContext     PType = 14 // client: more contexts, more legs
	PTypeAlterContextResp PType = 15 // server
	PTypeAuth3            PType = 16 // client: last leg, never answered
	PTypeShutdown         PType = 17 // server
	PTypeCoCancel         PType = 18 // client
	PTypeOrphaned         PType = 19 // client
	PTypeRTS              PType = 20 // both, RPC over HTTP only (MS-RPCH 2.2.3.6)
)

const (
	// numPTypes is one more than the highest type known.
	numPTypes = int(PTypeRTS) + 1
	// ptypeMask is the highest type that a set of types has room for.
	ptypeMask = 31
)

var ptypeNames = [numPTypes]string{
	PTypeRequest:          "request",
	PTypeResponse:         "response",
	PTypeFault:            "fault",
	PTypeBind:             "bind",
	PTypeBindAck:          "bind_ack",
	PTypeBindNak:          "bind_nak",
	PTypeAlterContext:     "alter_context",
	PTypeAlterContextResp: "alter_context_resp",
	PTypeAuth3:            "auth3",
	PTypeShutdown:         "shutdown",
	PTypeCoCancel:         "co_cancel",
	PTypeOrphaned:         "orphaned",
	PTypeRTS:              "rts",
}

// Known reports whether t is a connection-oriented type.
func (t PType) Known() bool {
	return t <= ptypeMask && (clientPTypes|serverPTypes)>>t&1 != 0
}

// String returns the type's name as C706 writes it, e.g. "alter_context".
func (t PType) String() string {
	if t.Known() {
		return ptypeNames[t]
	}
	return fmt.Sprintf("ptype(%d)", uint8(t))
}

// clientPTypes and serverPTypes have bit t set if that side may send type t.
const (
	clientPTypes uint32 = 1<<PTypeRequest | 1<<PTypeBind | 1<<PTypeAlterContext |
		1<<PTypeAuth3 | 1<<PTypeCoCancel | 1<<PTypeOrphaned | 1<<PTypeRTS
	serverPTypes uint32 = 1<<PTypeResponse | 1<<PTypeFault | 1<<PTypeBindAck |
		1<<PTypeBindNak | 1<<PTypeAlterContextResp | 1<<PTypeShutdown | 1<<PTypeRTS
)

// SentBy reports whether a PDU of type t may travel in direction d.
func (t PType) SentBy(d Direction) bool {
	allowed := clientPTypes
	if d == ServerToClient {
		allowed = serverPTypes
	}
	return t <= ptypeMask && allowed>>t&1 != 0
}

// Handshake reports whether PDUs of type t carry legs of an authentication
// exchange, and flag 0x04 in them means header signing.
func (t PType) Handshake() bool {
	switch t {
	case PTypeBind, PTypeBindAck, PTypeAlterContext, PTypeAlterContextResp, PTypeAuth3:
		return true
	}
	return false
}
