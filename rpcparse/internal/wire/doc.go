// Package wire holds what every decoder of rpcparse and its sub-packages
// shares: the error type, the byte order of a PDU, and UUIDs and syntax
// identifiers. It is a leaf: it imports nothing of this module, so that the
// stub, tower and token decoders can be used by package rpcparse itself.
package wire
