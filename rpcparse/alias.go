package rpcparse

import "github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"

// What all decoders of this module share, under one roof for importers.
type (
	// Error is the one error type of the wire side.
	Error = wire.Error
	// Class is the kind of failure an Error is.
	Class = wire.Class
	// UUID is a DCE UUID in text order.
	UUID = wire.UUID
	// SyntaxID names an abstract or transfer syntax.
	SyntaxID = wire.SyntaxID
	// Order is the byte order of one PDU; the zero value is little-endian.
	Order = wire.Order
	// Direction is the way a PDU travels.
	Direction = wire.Direction
)

// The classes of failure.
const (
	ClassShort   = wire.ClassShort   // more bytes may help
	ClassInvalid = wire.ClassInvalid // never right, whatever follows
	ClassLimit   = wire.ClassLimit   // well-formed, over a named limit
	ClassState   = wire.ClassState   // well-formed, not allowed now
	ClassAuth    = wire.ClassAuth    // contradicts the agreed security
)

// The two byte orders.
const (
	LittleEndian = wire.LittleEndian
	BigEndian    = wire.BigEndian
)

// The two directions.
const (
	ClientToServer = wire.ClientToServer
	ServerToClient = wire.ServerToClient
)

// ClassOf returns the class of the first [Error] in err's chain, or 0.
func ClassOf(err error) Class { return wire.ClassOf(err) }

// Errorf makes an [Error] about the byte at offset. It allocates: call it on
// failure paths only.
func Errorf(class Class, name string, offset int, format string, args ...any) *Error {
	return wire.Errorf(class, name, offset, format, args...)
}
