package rpcparse

import (
	"bytes"

	"github.com/nspiproxy/nspiproxy/rpcparse/internal/wire"
)

// MaxVerificationTrailer bounds the search for a verification trailer, in
// bytes. The three commands that exist make 80; Samba and Windows send 52 or 60.
const MaxVerificationTrailer = 128

// trailerSignature starts a verification trailer.
var trailerSignature = []byte{0x8a, 0xe3, 0x13, 0x71, 0x02, 0xf4, 0x36, 0x71}

// The commands of a verification trailer: a type in the low 14 bits, two flags.
const (
	trailerBitmask1 = 1
	trailerPContext = 2
	trailerHeader2  = 3

	trailerTypeMask = 0x3fff
	trailerEnd      = 0x4000 // the last command

	trailerCommandSize = 4 // command u16, length u16
	header2Size        = 16
)

// TrailerHeaderSigning is the bit of VerificationTrailer.Bitmask1 by which a
// client says that it supports header signing.
const TrailerHeaderSigning = 0x1

// VerificationTrailer repeats, inside the protected body of a request's last
// fragment, what its client negotiated in clear (MS-RPCE 2.2.2.13). It is part
// of the stub as far as alloc_hint and signatures go: never strip or edit it.
// It is little-endian in every PDU.
type VerificationTrailer struct {
	HasBitmask1 bool
	Bitmask1    uint32

	HasPContext bool
	Abstract    SyntaxID // of the request's presentation context
	Transfer    SyntaxID

	HasHeader2 bool
	Header2    TrailerHeader2

	Unknown int // commands of other types
}

// TrailerHeader2 repeats fields of the request's header.
type TrailerHeader2 struct {
	Type      PType
	Drep      Drep
	CallID    uint32
	ContextID uint16
	Opnum     uint16
}

// ParseVerificationTrailer looks for a verification trailer at the end of stub,
// the whole stub of a request. If there is one it is read and the parameters
// before it, with padding of up to three bytes, are stub[:stubLen].
//
// Nothing announces a trailer, so bytes that are not a whole well-formed one
// are parameters: ok is false and stubLen is len(stub).
func ParseVerificationTrailer(stub []byte) (vt VerificationTrailer, stubLen int, ok bool) {
	lowest := max(0, len(stub)-MaxVerificationTrailer)
	// The trailer is aligned to four bytes counted from the start of the PDU,
	// and stubs start at a multiple of four. Search from the end.
	for off := (len(stub) - len(trailerSignature)) &^ 3; off >= lowest; off -= 4 {
		if !bytes.HasPrefix(stub[off:], trailerSignature) {
			continue
		}
		if vt, ok = parseTrailerCommands(stub[off+len(trailerSignature):]); ok {
			return vt, off, true
		}
	}
	return VerificationTrailer{}, len(stub), false
}

// parseTrailerCommands reads commands up to the one that is marked as the
// last, which must end b. Of several of one type the first counts. Each takes
// at least four bytes, so the walk ends.
func parseTrailerCommands(b []byte) (vt VerificationTrailer, ok bool) {
	for len(b) >= trailerCommandSize {
		command := LittleEndian.Uint16(b)
		size := int(LittleEndian.Uint16(b[2:]))
		b = b[trailerCommandSize:]
		if size > len(b) || !vt.read(command&trailerTypeMask, b[:size]) {
			return VerificationTrailer{}, false
		}
		b = b[size:]
		if command&trailerEnd != 0 {
			return vt, len(b) == 0
		}
	}
	return VerificationTrailer{}, false
}

// read takes one command. It fails if the size is not that of its type.
func (vt *VerificationTrailer) read(kind uint16, data []byte) bool {
	switch kind {
	case trailerBitmask1:
		if len(data) != 4 {
			return false
		}
		if !vt.HasBitmask1 {
			vt.HasBitmask1, vt.Bitmask1 = true, LittleEndian.Uint32(data)
		}
	case trailerPContext:
		if len(data) != 2*wire.SyntaxIDSize {
			return false
		}
		if !vt.HasPContext {
			vt.HasPContext = true
			vt.Abstract = wire.ReadSyntaxID(data, LittleEndian)
			vt.Transfer = wire.ReadSyntaxID(data[wire.SyntaxIDSize:], LittleEndian)
		}
	case trailerHeader2:
		if len(data) != header2Size {
			return false
		}
		if !vt.HasHeader2 {
			vt.HasHeader2, vt.Header2 = true, readHeader2(data)
		}
	default:
		vt.Unknown++
	}
	return true
}

func readHeader2(b []byte) TrailerHeader2 {
	return TrailerHeader2{
		Type:      PType(b[0]),
		Drep:      Drep(b[4:8]),
		CallID:    LittleEndian.Uint32(b[8:]),
		ContextID: LittleEndian.Uint16(b[12:]),
		Opnum:     LittleEndian.Uint16(b[14:]),
	}
}

// Len returns the number of bytes that AppendVerificationTrailer writes,
// without padding.
func (vt VerificationTrailer) Len() int {
	n := len(trailerSignature)
	if vt.HasBitmask1 {
		n += trailerCommandSize + 4
	}
	if vt.HasPContext {
		n += trailerCommandSize + 2*wire.SyntaxIDSize
	}
	if vt.HasHeader2 {
		n += trailerCommandSize + header2Size
	}
	return n
}

// AppendVerificationTrailer appends vt behind a stub that ends at a multiple
// of four. It writes no unknown commands; with no known one, which no peer
// sends either, it fails.
func AppendVerificationTrailer(stub []byte, vt VerificationTrailer) ([]byte, error) {
	if !vt.HasBitmask1 && !vt.HasPContext && !vt.HasHeader2 {
		return stub, Errorf(ClassInvalid, "verification_trailer", 0, "no command to end it")
	}
	dst := append(stub, trailerSignature...)
	var last int // offset of the newest command
	if vt.HasBitmask1 {
		last = len(dst)
		dst = appendTrailerCommand(dst, trailerBitmask1, 4)
		dst = LittleEndian.AppendUint32(dst, vt.Bitmask1)
	}
	if vt.HasPContext {
		last = len(dst)
		dst = appendTrailerCommand(dst, trailerPContext, 2*wire.SyntaxIDSize)
		dst = vt.Abstract.Append(dst, LittleEndian)
		dst = vt.Transfer.Append(dst, LittleEndian)
	}
	if vt.HasHeader2 {
		last = len(dst)
		dst = appendTrailerCommand(dst, trailerHeader2, header2Size)
		dst = vt.Header2.append(dst)
	}
	dst[last+1] |= trailerEnd >> 8
	return dst, nil
}

func appendTrailerCommand(dst []byte, kind, size uint16) []byte {
	return LittleEndian.AppendUint16(LittleEndian.AppendUint16(dst, kind), size)
}

func (h TrailerHeader2) append(dst []byte) []byte {
	dst = append(dst, byte(h.Type), 0, 0, 0)
	dst = append(dst, h.Drep[:]...)
	dst = LittleEndian.AppendUint32(dst, h.CallID)
	dst = LittleEndian.AppendUint16(dst, h.ContextID)
	return LittleEndian.AppendUint16(dst, h.Opnum)
}
