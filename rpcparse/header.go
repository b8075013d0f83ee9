package rpcparse

import (
	"encoding/binary"
	"math"
	"math/bits"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

// HeaderSize is the size of the common header, in bytes.
const HeaderSize = 16

// MaxPDU is the largest PDU that frag_length can name, in bytes.
const MaxPDU = math.MaxUint16

// The protocol version. Windows speaks 5.0 only (MS-RPCE 3.3.1.5.1); minor
// version 1 is read as well, because the answer to a bind with it is the
// server's to give.
const (
	rpcVersion         = 5
	rpcMaxMinorVersion = 1
)

// Header is the common header of every PDU (C706 12.6.3.1). All PDU views
// embed it.
type Header struct {
	Version      uint8  // 0: 5
	MinorVersion uint8  // 1
	Type         PType  // 2
	Flags        Flags  // 3
	Drep         Drep   // 4
	FragLength   uint16 // 8: bytes of the whole PDU
	AuthLength   uint16 // 10: bytes of the token, without the 8 of the trailer before it
	CallID       uint32 // 12
}

// minLength is the size of each type's fixed part, which a trailer cannot
// overlap, in bytes. A bind's ends with the context count, because a bind
// without contexts may end there.
var minLength = [ptypeMask + 1]uint8{
	PTypeRequest:          24,
	PTypeResponse:         24,
	PTypeFault:            32,
	PTypeBind:             25,
	PTypeBindAck:          26,
	PTypeBindNak:          19,
	PTypeAlterContext:     25,
	PTypeAlterContextResp: 26,
	PTypeAuth3:            20,
	PTypeShutdown:         HeaderSize,
	PTypeCoCancel:         HeaderSize,
	PTypeOrphaned:         HeaderSize,
	PTypeRTS:              20,
}

// ParseHeader reads the header at the start of b and checks everything that
// can be known without the rest of the PDU: version, type, byte order, and
// that frag_length has room for the header, the type's fixed part and the
// trailer and token that auth_length promises. It allocates only to fail.
//
// Fewer than 16 bytes are ClassShort, unless those that are there are already
// wrong.
func ParseHeader(b []byte) (h Header, err error) {
	if err := h.parse(b); err != nil {
		return Header{}, err
	}
	return h, nil
}

// parse is ParseHeader in place: copying a header that was just written field
// by field costs more than reading it.
func (h *Header) parse(b []byte) error {
	if len(b) < HeaderSize {
		return shortHeader(b)
	}
	h.Version, h.MinorVersion, h.Type, h.Flags = b[0], b[1], PType(b[2]), Flags(b[3])
	h.Drep = Drep(b[4:8])
	fragLength, authLength := binary.LittleEndian.Uint16(b[8:]), binary.LittleEndian.Uint16(b[10:])
	callID := binary.LittleEndian.Uint32(b[12:])
	if orderOf(b[4]) == BigEndian {
		fragLength, authLength = bits.ReverseBytes16(fragLength), bits.ReverseBytes16(authLength)
		callID = bits.ReverseBytes32(callID)
	}
	h.FragLength, h.AuthLength, h.CallID = fragLength, authLength, callID
	if b[0] != rpcVersion || b[1] > rpcMaxMinorVersion || !PType(b[2]).Known() || !integersKnown(b[4]) {
		return checkPrefix(b)
	}
	if fragLength < HeaderSize || authLength != 0 && !authFits(b, fragLength, authLength) {
		return h.lengthError()
	}
	return nil
}

// shortHeader judges less than a header.
func shortHeader(b []byte) error {
	if err := checkPrefix(b); err != nil {
		return err
	}
	return wire.Short("header", len(b), len(b), HeaderSize)
}

// checkPrefix judges the first bytes of a PDU, as many as there are, so that
// what is not DCE/RPC is known at its first byte and never waited for.
func checkPrefix(b []byte) error {
	if len(b) > 0 && b[0] != rpcVersion {
		return Errorf(ClassInvalid, "rpc_vers", 0, "%d, expected %d", b[0], rpcVersion)
	}
	if len(b) > 1 && b[1] > rpcMaxMinorVersion {
		return Errorf(ClassInvalid, "rpc_vers_minor", 1, "%d, expected 0 or 1", b[1])
	}
	if len(b) > 2 && !PType(b[2]).Known() {
		return Errorf(ClassInvalid, "ptype", 2, "%d is no connection-oriented type", b[2])
	}
	if len(b) > 4 && !integersKnown(b[4]) {
		return Errorf(ClassInvalid, "drep", 4, "integer representation %d, expected 0 or 1", b[4]>>4)
	}
	return nil
}

// authFits reports whether the trailer and the token leave the fixed part of
// the PDU that starts with b alone. Sums are of ints, so none wraps.
func authFits(b []byte, fragLength, authLength uint16) bool {
	return int(fragLength) >= bodyStart(PType(b[2]), Flags(b[3]))+VerifierSize+int(authLength)
}

func (h *Header) lengthError() error {
	if int(h.FragLength) < HeaderSize {
		return Errorf(ClassInvalid, "frag_length", 8, "%d, at least %d", h.FragLength, HeaderSize)
	}
	return Errorf(ClassInvalid, "auth_length", 10, "%d does not fit a %s of %d bytes", h.AuthLength, h.Type, h.FragLength)
}

// bodyStart returns the size of the fixed part of a PDU of a known type. In
// requests and responses the stub starts there.
func bodyStart(t PType, f Flags) int {
	n := int(minLength[t&ptypeMask])
	if t == PTypeRequest && f.Has(FlagObjectUUID) {
		n += wire.UUIDSize
	}
	return n
}

// check checks what the parser of every body starts with, once the header has
// been read: exactly one PDU, of the expected type, with room for the type's
// fixed part and what auth_length promises. So every parser may read up to
// bodyStart, and trailer and token from the end, without looking. The header may
// be one that ParseHeader has refused: readers of captures show those, too.
func (h *Header) check(pdu []byte, want PType) error {
	if h.Type != want || len(pdu) != int(h.FragLength) || len(pdu) < bodyStart(h.Type, h.Flags)+trailerSize(h.AuthLength) {
		return h.checkError(len(pdu), want)
	}
	return nil
}

// checkEither is check for the pairs of types that share a layout.
func (h *Header) checkEither(pdu []byte, a, b PType) error {
	if h.Type == b {
		return h.check(pdu, b)
	}
	return h.check(pdu, a)
}

func (h *Header) checkError(have int, want PType) error {
	if h.Type != want {
		return Errorf(ClassInvalid, "ptype", 2, "%s, expected %s", h.Type, want)
	}
	if have != int(h.FragLength) {
		return Errorf(ClassInvalid, "frag_length", 8, "%d, but given %d bytes", h.FragLength, have)
	}
	if have >= bodyStart(h.Type, h.Flags) {
		return h.lengthError()
	}
	return Errorf(ClassInvalid, "frag_length", 8, "%d, a %s has at least %d", have, h.Type, bodyStart(h.Type, h.Flags))
}

// Order returns the byte order of the PDU's integers.
func (h Header) Order() Order { return h.Drep.Order() }

// First reports whether the PDU is a first fragment.
func (h Header) First() bool { return h.Flags.Has(FlagFirstFrag) }

// Last reports whether the PDU is a last fragment.
func (h Header) Last() bool { return h.Flags.Has(FlagLastFrag) }

// AppendHeader appends h as it stands, lengths included. Version 0 is written
// as 5.0.
func AppendHeader(dst []byte, h Header) []byte {
	if h.Version == 0 {
		h.Version, h.MinorVersion = rpcVersion, 0
	}
	o := h.Order()
	dst = append(dst, h.Version, h.MinorVersion, byte(h.Type), byte(h.Flags))
	dst = append(dst, h.Drep[:]...)
	dst = o.AppendUint16(dst, h.FragLength)
	dst = o.AppendUint16(dst, h.AuthLength)
	return o.AppendUint32(dst, h.CallID)
}
