package rpcparse

import (
	"encoding/binary"
	"fmt"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

// The transfer syntaxes that peers use (MS-RPCE 2.2.4.12, 2.2.5.1).
var (
	SyntaxNDR   = SyntaxID{UUID: wire.MustUUID("8a885d04-1ceb-11c9-9fe8-08002b104860"), Version: 2}
	SyntaxNDR64 = SyntaxID{UUID: wire.MustUUID("71710533-beba-4937-8319-b5dbef9ccc36"), Version: 1}
)

// TransferSyntax is the encoding of a presentation context's stubs.
type TransferSyntax uint8

// The encodings. A context has none until a server has accepted it.
const (
	TransferNone TransferSyntax = iota
	TransferNDR
	TransferNDR64
	TransferOther // negotiated, but not one that this package's siblings decode
)

// TransferOf returns the encoding that s names.
func TransferOf(s SyntaxID) TransferSyntax {
	switch s {
	case SyntaxNDR:
		return TransferNDR
	case SyntaxNDR64:
		return TransferNDR64
	case SyntaxID{}:
		return TransferNone
	}
	return TransferOther
}

// String returns "none", "ndr", "ndr64" or "other".
func (t TransferSyntax) String() string {
	switch t {
	case TransferNone:
		return "none"
	case TransferNDR:
		return "ndr"
	case TransferNDR64:
		return "ndr64"
	case TransferOther:
		return "other"
	}
	return fmt.Sprintf("transfer(%d)", uint8(t))
}

// The features that peers negotiate while binding (MS-RPCE 2.2.2.14).
const (
	FeatureSecurityContextMultiplexing = 0x1
	FeatureKeepConnectionOnOrphan      = 0x2
)

// featurePrefix is the first half of the transfer syntax that is no syntax:
// its second half is the mask of features that the client offers.
var featurePrefix = [8]byte{0x6c, 0xb7, 0x1c, 0x2c, 0x98, 0x12, 0x45, 0x40}

const featureVersion = 1

// IsFeatureNegotiation reports whether s, offered as a transfer syntax, offers
// bind-time features instead, and which. The server answers with
// [ResultNegotiateAck] and the mask it agrees to as reason.
func IsFeatureNegotiation(s SyntaxID) (mask uint64, ok bool) {
	if [8]byte(s.UUID[:8]) != featurePrefix || s.Version != featureVersion {
		return 0, false
	}
	return binary.LittleEndian.Uint64(s.UUID[8:]), true
}

// FeatureSyntax returns the transfer syntax that offers the features of mask.
func FeatureSyntax(mask uint64) SyntaxID {
	s := SyntaxID{Version: featureVersion}
	copy(s.UUID[:], featurePrefix[:])
	binary.LittleEndian.PutUint64(s.UUID[8:], mask)
	return s
}
